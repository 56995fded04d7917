"""A decoder that computes as usual until it is told how to fail, as a real one may."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from labkit.model.decoder import Decoder
from labkit.model.inputs import ForwardInputs
from labkit.model.kv_store import KVStore
from labkit.model.loaded import LoadedModel

__all__ = ["FaultyDecoder", "faulty", "not_a_number", "sticky_error"]

Fault = Callable[[Tensor], Tensor]  # logits [rows, vocab] in, what comes instead out


class FaultyDecoder(Decoder):
    """Gives its logits to `fault` before anyone sees them; None: it is healthy."""

    fault: Fault | None = None

    def forward(self, inputs: ForwardInputs, kv: KVStore, **options: Any) -> Tensor:
        logits = super().forward(inputs, kv, **options)
        return logits if self.fault is None else self.fault(logits)


def faulty(model: LoadedModel) -> tuple[LoadedModel, FaultyDecoder]:
    """The model on a decoder of its own that can be made to fail, and the decoder."""
    healthy = model.decoder
    decoder = FaultyDecoder(healthy.config, healthy.weights, healthy.packed)
    return replace(model, decoder=decoder), decoder


def sticky_error(_: Tensor) -> Tensor:
    """What every pass gives once a CUDA kernel has run out of bounds."""
    raise RuntimeError("CUDA error: device-side assert triggered")


def not_a_number(*rows: int) -> Any:
    """Spoil the logits of these rows (none named: of all)."""

    def spoil(logits: Tensor) -> Tensor:
        spoilt = logits.clone()
        spoilt[list(rows) or slice(None)] = torch.nan
        return spoilt

    return spoil
