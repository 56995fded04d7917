"""Rotary frequencies: the one parameter that is derived, not stored.

A function of the model's config alone. A GGUF may hold its scaling as divisors, and the
reader checks them against these; the decoders multiply them by positions.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from labkit.config import ModelConfig, RopeScaling

__all__ = ["inverse_frequencies"]


def inverse_frequencies(config: ModelConfig, device: torch.device) -> Tensor:
    """Radians a position for each pair of dimensions: float32 [d/2].

    theta^(-2i/d), then slowed down where the model asks for Llama 3's scaling.
    """
    even = torch.arange(0, config.head_dim, 2, dtype=torch.float32, device=device)
    frequencies = config.rope_theta ** (-even / config.head_dim)
    scaling = config.rope_scaling
    return frequencies if scaling is None else _llama3_scaled(frequencies, scaling)


def _llama3_scaled(frequencies: Tensor, scaling: RopeScaling) -> Tensor:
    """Divide slow frequencies by the factor, keep fast ones, blend those between.

    How often a pair turns within the original context decides: fewer turns than
    `low_freq_factor` is slow, more than `high_freq_factor` is fast.
    """
    turns = scaling.original_max_context * frequencies / (2 * math.pi)
    low, high = scaling.low_freq_factor, scaling.high_freq_factor
    fast = ((turns - low) / (high - low)).clamp(0, 1)  # 1 keeps, 0 divides
    return frequencies * (fast + (1 - fast) / scaling.factor)
