"""A model ready to compute, with all that is needed to rebuild its tokenizer."""

from __future__ import annotations

from dataclasses import dataclass

from labkit.config import ModelConfig
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
