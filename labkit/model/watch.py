"""Whoever looks into a pass that PyTorch computes, layer by layer."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

__all__ = ["PassWatch"]


class PassWatch(Protocol):
    """Shown a pass while it is computed; it must not change what it is shown."""

    def hidden(self, layer: int, states: Tensor) -> None:
        """Hidden states [tokens, width] after `layer` layers; 0 is the embedding."""

    def attention(self, layer: int, start: int, weights: Tensor) -> None:
        """How much tokens look at each other in layer `layer`, counted from 0.

        [tokens, heads, context], of the step's tokens from number `start` on; each row
        adds up to 1 over the places of its own sequence.
        """
