"""Keys and values of every layer, one slot a token: the tensors behind the cache.

Writes and reads by slot number only. It refuses to know which sequence a slot belongs
to: `labkit.cache` hands out blocks of slots and keeps the books (PagedAttention, Kwon
et al. 2023, arXiv 2309.06180).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from labkit.config import ModelConfig
from labkit.errors import ConfigError

__all__ = ["KVStore"]

HUGE_PAGE, CACHE_LINE = 2 << 20, 64  # bytes


class KVStore:
    """Room for the keys and values of `num_slots` tokens, all layers.

    Memory starts as zeros, so a slot that was never written reads as zeros and never
    as NaN. On the CPU the system gives a page of memory only when it is written.
    """

    def __init__(
        self,
        config: ModelConfig,
        num_slots: int,
        *,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        if num_slots < 1:
            raise ConfigError(f"num_slots={num_slots}: a store needs at least 1 slot")
        shape = (config.num_layers, num_slots, config.num_kv_heads, config.head_dim)
        self.num_slots = num_slots
        self._keys = _zeros(shape, dtype, device)
        self._values = _zeros(shape, dtype, device)
        self.tensors = (self._keys, self._values)  # themselves, as the kernels write

    @property
    def dtype(self) -> torch.dtype:
        """Number format of keys and values."""
        return self._keys.dtype

    @property
    def num_bytes(self) -> int:
        """Bytes of the whole store, written or not."""
        return self._keys.nbytes + self._values.nbytes

    def write(self, layer: int, slots: Tensor, keys: Tensor, values: Tensor) -> None:
        """Put `keys` and `values`, [tokens, kv_heads, head_dim], into `slots`."""
        self._keys[layer].index_copy_(0, slots, keys)
        self._values[layer].index_copy_(0, slots, values)

    def read(self, layer: int, slots: Tensor) -> tuple[Tensor, Tensor]:
        """Copies of keys and values in `slots`: [*slots.shape, kv_heads, head_dim]."""
        return self._keys[layer][slots], self._values[layer][slots]

    def copy(self, sources: Tensor, targets: Tensor) -> None:
        """Copy every layer's keys and values from slots `sources` to `targets`."""
        self._keys[:, targets] = self._keys[:, sources]
        self._values[:, targets] = self._values[:, sources]


def _zeros(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Zeros; on the CPU from calloc (numpy), as torch would write, so take, all.

    The first write to a huge page waits until the system has cleared it. Large layers
    are set apart so that each comes to a new one with another slot: all 60 tensors of
    30 layers at once stopped a stream for 70 ms.
    """
    if device.type != "cpu":
        return torch.zeros(shape, dtype=dtype, device=device)
    num_layers, size = shape[0], math.prod(shape[1:]) * dtype.itemsize
    shift = HUGE_PAGE // num_layers // CACHE_LINE * CACHE_LINE
    apart = (shift - size) % HUGE_PAGE if size >= HUGE_PAGE else 0
    raw = np.zeros((num_layers, size + apart), dtype=np.uint8)
    return torch.from_numpy(raw)[:, :size].view(dtype).view(shape)
