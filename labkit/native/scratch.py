"""Memory for what one pass computes on the way: whoever computes brings its own.

Weights are shared between engines and threads, scratch never is: two passes at once in
the same scratch would overwrite each other's numbers without a word.
"""

from __future__ import annotations

import torch
from torch import Tensor

from labkit.config import ModelConfig
from labkit.native.kernels import MAX_LANES, Scratch

__all__ = ["CHUNK", "UNIT", "ScratchBuffers"]

CHUNK = 192  # tokens computed at once; their numbers stay in the second-level cache
UNIT = 8  # tokens times heads of a unit of attention, at most; as in layer.c


class ScratchBuffers:
    """Scratch for passes of one model, one pass at a time.

    A pass with more tokens than `CHUNK` is computed in parts, so the size depends on
    the model and the number of threads alone. Memory is taken when it is first written.
    """

    def __init__(self, config: ModelConfig, num_threads: int) -> None:
        self.config = config
        self._held: list[Tensor] = []  # what the pointers lead to
        heads = config.num_heads * config.head_dim
        keys = config.num_kv_heads * config.head_dim
        half, ffn = config.head_dim // 2, config.ffn_width
        num_normed = CHUNK * config.width
        num_blocks = CHUNK * max(config.width, heads, ffn) // 32
        group = config.num_heads // config.num_kv_heads
        num_scores = UNIT * group * (config.max_context + MAX_LANES)
        columns = (half, half, heads, keys, keys, heads, ffn, ffn, config.width)
        self.pointers = Scratch(
            *(self._room(CHUNK * size) for size in columns),
            self._room(num_threads * num_normed),
            self._room(num_threads * num_scores),
            self._room(num_threads * num_blocks * 16, torch.int32),
            self._room(num_threads * num_blocks),
            self._room(num_threads * num_blocks),
            num_normed,
            num_scores,
            num_blocks,
            CHUNK,
            config.max_context,
        )

    def _room(self, size: int, dtype: torch.dtype = torch.float32) -> int:
        self._held.append(torch.empty(size, dtype=dtype))
        return self._held[-1].data_ptr()
