"""A model ready to compute, with all that is needed to rebuild its tokenizer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from labkit.config import ModelConfig
from labkit.errors import ConfigError
from labkit.model.decoder import Decoder
from labkit.records import TokenizerSpec

__all__ = ["LoadedModel"]


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """What `load_model` gives: shape, weights, tokenizer and a name to show."""

    config: ModelConfig
    decoder: Decoder
    tokenizer: TokenizerSpec
    name: str
    warnings: tuple[str, ...] = ()  # what makes it slower than its file could be

    def __repr__(self) -> str:
        return f"<LoadedModel {self.summary}>"

    @property
    def summary(self) -> str:
        """Its name, what computes, and what there is to warn of."""
        told = "".join(f"; {warning}" for warning in self.warnings)
        return f"{self.name}: {self.kernels} kernels{told}"

    @property
    def kernels(self) -> str:
        """What computes: "native", the kernels in C, or "torch"."""
        return self.decoder.kernels

    def computed_by(self, kernels: str) -> LoadedModel:
        """The same weights computed by "native" or "torch"; "auto" is what it has."""
        if kernels in ("auto", self.kernels):
            return self
        if kernels == "torch":
            return replace(self, decoder=self.decoder.without_kernels())
        raise ConfigError(
            f"kernels={kernels!r}: {self.name} was loaded for PyTorch"
            f"{''.join(f' ({warning})' for warning in self.warnings)}; use "
            "kernels='auto'"
        )
