"""Engines that break as real ones do: at the decoder, for good or once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from labkit.clock import SystemClock
from labkit.engine import Engine
from labkit.model.decoder import Decoder
from labkit.model.loaded import LoadedModel
from server.settings import Settings
from tests.support.tiny import tiny_model

__all__ = ["FaultyDecoder", "faulty_engine", "large_engine"]

NEVER = threading.Event()  # nobody sets it


class FaultyDecoder(Decoder):
    """Computes `num_good` passes, then fails on each as `fault` says.

    With a `marker` it does so only where that file is, and takes it away: an engine
    that is loaded after it is sound.
    """

    fault = "raise"  # or "once", "nan", "hang"
    num_good = 0
    marker: Path | None = None
    hang: Callable[[], object] = staticmethod(NEVER.wait)
    _is_broken = False

    def forward(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        logits = super().forward(*args, **kwargs)
        self.num_good -= 1
        if self.num_good >= 0:
            return logits
        if self.marker is not None and not self._is_broken:
            if not self.marker.exists():
                return logits
            self.marker.unlink()
        self._is_broken = True
        if self.fault == "once":
            self.num_good = 1_000_000
        if self.fault in ("raise", "once"):
            raise RuntimeError("CUDA error: device-side assert triggered")
        if self.fault == "nan":
            return torch.full_like(logits, float("nan"))
        self.hang()
        return logits


def faulty_engine(
    settings: Settings,
    fault: str,
    num_good: int = 0,
    marker: Path | None = None,
    hang: Callable[[], object] | None = None,
) -> Engine:
    """The tiny model with a decoder that breaks."""
    model = tiny_model()
    decoder = FaultyDecoder(model.config, model.decoder.weights)
    decoder.fault, decoder.num_good, decoder.marker = fault, num_good, marker
    if hang is not None:
        decoder.hang = hang  # type: ignore[method-assign]
    broken = LoadedModel(model.config, decoder, model.tokenizer, model.name)
    return Engine(broken, settings.engine(), SystemClock())


def large_engine(settings: Settings, marker: Path) -> Engine:
    """One whose first news do not fit into a pipe; sound where `marker` is not."""
    model = tiny_model()
    spec = model.tokenizer
    if marker.exists():
        marker.unlink()
        padding = "{# " + "x" * 8_000_000 + " #}"
        changed: Any = {f: getattr(spec, f) for f in spec.__slots__}
        spec = type(spec)(**{**changed, "chat_template": padding})
    large = LoadedModel(model.config, model.decoder, spec, model.name)
    return Engine(large, settings.engine(), SystemClock())
