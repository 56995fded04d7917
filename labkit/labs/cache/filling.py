"""Fills a pool with requests of given lengths, in blocks or in reserved strips.

The pool is the engine's own `CacheManager`, which counts blocks and holds no tensors,
so that thousands of slots cost nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labkit.cache.manager import CacheManager

__all__ = ["Filling", "fill"]


@dataclass(frozen=True, slots=True)
class Filling:
    """How many requests a pool took in before it was full, and how well it is used."""

    num_requests: int
    use: float  # share of the slots handed out that hold a token, 0 to 1


def fill(
    lengths: Sequence[int], block_size: int, reserve: int = 0, num_slots: int = 8192
) -> Filling:
    """Admit requests until one does not fit; each gets `reserve` slots at least."""
    cache = CacheManager(num_slots // block_size, block_size, is_caching=False)
    taken = num_requests = 0
    for length in lengths:
        name = f"request {num_requests}"
        if cache.admit(name, (), max(length, reserve)) is None:
            break
        num_requests, taken = num_requests + 1, taken + length
    return Filling(num_requests, taken / (cache.counts().held * block_size))
