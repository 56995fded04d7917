"""The decoder's layers but for attention, each a function of tensors.

A weight matrix is [out, in], as in files and in `torch.nn.functional.linear`. Norms and
rotary angles are computed in float32 and rounded once, whatever the model's dtype.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import linear, silu

__all__ = ["Rotary", "rms_norm", "rotary", "swiglu"]


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x / sqrt(mean(x²) + eps) * weight over the last axis; same shape and dtype.

    Zhang and Sennrich 2019, arXiv 1910.07467.
    """
    wide = x.float()
    squares = torch.linalg.vector_norm(wide, dim=-1, keepdim=True).square_()
    scale = squares.div_(x.shape[-1]).add_(eps).rsqrt_()
    normed: Tensor = (wide * scale).to(x.dtype).mul_(weight)
    return normed


def swiglu(x: Tensor, gate: Tensor, up: Tensor, down: Tensor) -> Tensor:
    """down · (silu(gate · x) * (up · x)): the gated feed-forward, x [tokens, width].

    `gate` and `up` are [ffn_width, width], `down` is [width, ffn_width].
    Shazeer 2020, arXiv 2002.05202.
    """
    gated = silu(linear(x, gate), inplace=True).mul_(linear(x, up))
    return linear(gated, down)


@dataclass(frozen=True, slots=True)
class Rotary:
    """Cosine and sine of every rotary angle of one step: float32 [tokens, 1, d/2]."""

    cos: Tensor
    sin: Tensor

    @classmethod
    def at(cls, positions: Tensor, frequencies: Tensor) -> Rotary:
        """Angles position * frequency; positions int64 [tokens], frequencies [d/2]."""
        angles = positions[:, None, None].float() * frequencies
        return cls(angles.cos(), angles.sin())


def rotary(x: Tensor, turn: Rotary) -> Tensor:
    """Turn each pair (x[i], x[i + d/2]) of `x` [tokens, heads, d] by its angle.

    Su et al. 2021, arXiv 2104.09864, with the pairs laid out half and half, as Hugging
    Face stores them, not side by side as in the paper.
    """
    first, second = x.float().chunk(2, dim=-1)
    turned = (
        (first * turn.cos).addcmul_(second, turn.sin, value=-1),
        (second * turn.cos).addcmul_(first, turn.sin),
    )
    return torch.cat(turned, dim=-1).to(x.dtype)
