"""The decoder over a GGUF's own 4-bit blocks, for passes of few tokens.

A decode step is bound by the bytes it reads, and 4-bit blocks are an eighth of float32.
Nothing is quantised here: the blocks come from the file as they are, so the result is
the plain path's, but for the order of sums. Passes of many tokens are bound by
arithmetic, and the plain path over widened weights is the faster one there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from labkit.config import ModelConfig
from labkit.model.inputs import ForwardInputs
from labkit.model.kv_store import KVStore
from labkit.model.layers import Rotary, inverse_frequencies
from labkit.model.native.kernels import Kernels, Layer, Matrix, Pass, Scratch
from labkit.model.parameters import packed_name

__all__ = ["MAX_TOKENS", "PackedDecoder"]

MAX_TOKENS = 64  # tokens of a pass; about where the plain path overtakes
ROW_BYTES = {20: False, 34: True}  # bytes of a block of 32: Q4_1, Q8_0
MATRICES = {
    "query": "self_attn.q_proj",
    "key": "self_attn.k_proj",
    "value": "self_attn.v_proj",
    "output": "self_attn.o_proj",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}
NORMS = {"attention_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}


class PackedDecoder:
    """The layers and the head of a Llama-family model, from packed weights.

    One pass at a time: the room for what a layer computes on the way is shared.
    """

    def __init__(
        self, config: ModelConfig, tensors: Mapping[str, Tensor], kernels: Kernels
    ) -> None:
        self._config = config
        self._kernels = kernels
        self._frequencies = inverse_frequencies(config, torch.device("cpu"))
        self.tensors = tensors  # what the pointers below point to
        layers = [self._layer(i) for i in range(config.num_layers)]
        self._layers = (Layer * len(layers))(*layers)
        head = "model.embed_tokens" if config.is_tied else "lm_head"
        self._head = self._matrix(head)
        self._room, self._buffers = _scratch(config, kernels.num_threads)

    @classmethod
    def open(
        cls, config: ModelConfig, tensors: Mapping[str, Tensor], cache: Path
    ) -> PackedDecoder | None:
        """A packed decoder; None where blocks, shape or compiler do not allow one."""
        is_plain = not (config.has_qkv_bias or config.has_qk_norm)
        has_blocks = all(packed_name(name) in tensors for name in _names(config))
        if not (is_plain and has_blocks and config.head_dim % 8 == 0):
            return None
        kernels = Kernels.open(config, cache)
        return None if kernels is None else cls(config, tensors, kernels)

    def run(self, x: Tensor, inputs: ForwardInputs, kv: KVStore, depth: int) -> Tensor:
        """x, float32 [tokens, width], after the first `depth` layers, in place."""
        turn = Rotary.at(inputs.positions, self._frequencies)
        rows, read_slots = _rows(inputs), inputs.read_slots.contiguous()
        step = Pass(
            inputs.num_tokens,
            read_slots.shape[1],
            rows.data_ptr(),
            inputs.positions.data_ptr(),
            inputs.write_slots.data_ptr(),
            read_slots.data_ptr(),
            turn.cos.data_ptr(),
            turn.sin.data_ptr(),
        )
        self._kernels.run_layers(self._layers, step, self._room, x, kv, depth)
        return x

    def head(self, x: Tensor) -> Tensor:
        """Logits of normed hidden states: float32 [n, vocab]."""
        return self._kernels.multiply(self._head, x)

    def _layer(self, index: int) -> Layer:
        prefix = f"model.layers.{index}."
        parts: dict[str, int | Matrix] = {}
        for field, name in NORMS.items():
            parts[field] = self.tensors[f"{prefix}{name}.weight"].data_ptr()
        for field, name in MATRICES.items():
            parts[field] = self._matrix(prefix + name)
        return Layer(**parts)

    def _matrix(self, name: str) -> Matrix:
        out, width = self.tensors[f"{name}.weight"].shape
        blocks = self.tensors[packed_name(f"{name}.weight")]
        is_q8 = ROW_BYTES[blocks.shape[1] * 32 // width]
        return Matrix(blocks.data_ptr(), out, width, is_q8)


def _names(config: ModelConfig) -> list[str]:
    layers = [f"model.layers.{i}." for i in range(config.num_layers)]
    names = [
        f"{prefix}{name}.weight" for prefix in layers for name in MATRICES.values()
    ]
    return [*names, f"{'model.embed_tokens' if config.is_tied else 'lm_head'}.weight"]


def _rows(inputs: ForwardInputs) -> Tensor:
    """Which sequence each token belongs to: int64 [tokens]."""
    lengths = torch.tensor(inputs.query_lens)
    return torch.repeat_interleave(torch.arange(len(lengths)), lengths)


def _scratch(config: ModelConfig, num_threads: int) -> tuple[Scratch, list[Tensor]]:
    heads = config.num_heads * config.head_dim
    sizes = [
        MAX_TOKENS * max(config.width, heads),  # normed
        MAX_TOKENS * heads,  # queries
        MAX_TOKENS * heads,  # mixed
        MAX_TOKENS * config.ffn_width,  # gated
        MAX_TOKENS * config.ffn_width,  # up
        num_threads * (config.max_context + 8),  # scores
    ]
    buffers = [torch.empty(size) for size in sizes]
    return Scratch(*(buffer.data_ptr() for buffer in buffers)), buffers
