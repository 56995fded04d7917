"""The decoder over a GGUF's own 4-bit blocks, on the CPU.

A decode step is bound by the bytes it reads, and 4-bit blocks are an eighth of float32.
The weights are the file's own, bit for bit. What a product rounds is its tokens: to 16
bits, with a scale for every 32 numbers (llama.cpp rounds them to 8). A token's logits
do not depend on who is computed beside it or before it, to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from labkit.config import ModelConfig
from labkit.model.inputs import ForwardInputs
from labkit.model.kv_store import KVStore
from labkit.model.native.kernels import (
    MAX_LANES,
    Kernels,
    Layer,
    Matrix,
    Model,
    Pass,
    Scratch,
)
from labkit.weights.frequencies import inverse_frequencies
from labkit.weights.parameters import packed_name

__all__ = ["PackedDecoder"]

ROOM = 192  # tokens computed at once; their numbers stay in the second-level cache
TILE = 8  # tokens whose attention is computed together; as in layer.c
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
        self.num_bytes = 0  # of the packed matrices
        self._config = config
        self._kernels = kernels
        self._held: list[Tensor] = []  # what the pointers below point to
        layers = [self._layer(i, tensors) for i in range(config.num_layers)]
        final_norm = self._keep(tensors["model.norm.weight"])
        head = self._matrix(_head_name(config), tensors)
        self._model = Model(
            config.width,
            config.num_heads,
            config.num_kv_heads,
            config.head_dim,
            kernels.num_threads,
            config.norm_eps,
            (Layer * len(layers))(*layers),
            final_norm,
            self._keep(inverse_frequencies(config, torch.device("cpu"))),
            head,
        )
        self._room = self._scratch()

    @classmethod
    def open(
        cls, config: ModelConfig, tensors: Mapping[str, Tensor], cache: Path
    ) -> PackedDecoder | None:
        """A packed decoder; None where blocks, shape or compiler do not allow one."""
        is_plain = not (config.has_qkv_bias or config.has_qk_norm)
        has_blocks = all(packed_name(name) in tensors for name in _names(config))
        if not (is_plain and has_blocks and config.head_dim % MAX_LANES == 0):
            return None
        kernels = Kernels.open(cache)
        return None if kernels is None else cls(config, tensors, kernels)

    def run(self, x: Tensor, inputs: ForwardInputs, kv: KVStore, depth: int) -> Tensor:
        """float32 logits [scored tokens, vocab] of x, float32 [tokens, width].

        It goes through the first `depth` layers, in place.
        """
        rows, read_slots = _rows(inputs), inputs.read_slots.contiguous()
        scored = inputs.logit_indices
        logits = torch.empty(len(scored), self._config.vocab_size)
        step = Pass(
            inputs.num_tokens,
            len(scored),
            read_slots.shape[1],
            rows.data_ptr(),
            inputs.positions.data_ptr(),
            inputs.write_slots.data_ptr(),
            read_slots.data_ptr(),
            scored.data_ptr(),
            *kv.addresses(),
            x.data_ptr(),
            logits.data_ptr(),
        )
        self._kernels.forward(self._model, step, self._room, depth)
        return logits

    def exert(self) -> int:
        """Multiply and add as products do, with nothing else to do: operations done."""
        return self._kernels.exert()

    def _keep(self, tensor: Tensor) -> int:
        """Where a tensor lies, which is kept."""
        self._held.append(tensor)
        return tensor.data_ptr()

    def _layer(self, index: int, tensors: Mapping[str, Tensor]) -> Layer:
        prefix = f"model.layers.{index}."
        parts: dict[str, int | Matrix] = {}
        for field, name in NORMS.items():
            parts[field] = self._keep(tensors[f"{prefix}{name}.weight"])
        for field, name in MATRICES.items():
            parts[field] = self._matrix(f"{prefix}{name}.weight", tensors)
        return Layer(**parts)

    def _matrix(self, name: str, tensors: Mapping[str, Tensor]) -> Matrix:
        out, width = tensors[name].shape
        blocks = tensors[packed_name(name)]
        is_q8 = ROW_BYTES[blocks.shape[1] * 32 // width]
        matrix = Matrix(None, out, width, is_q8)
        tiles = self._kernels.pack(matrix, blocks)
        self.num_bytes += tiles.nbytes
        matrix.tiles = self._keep(tiles)
        return matrix

    def _scratch(self) -> Scratch:
        config, threads = self._config, self._kernels.num_threads
        heads, keys = (
            n * config.head_dim for n in (config.num_heads, config.num_kv_heads)
        )
        ffn, widest = config.ffn_width, max(config.width, heads, config.ffn_width)
        num_blocks = ROOM * widest // 32
        num_normed = ROOM * config.width
        group = config.num_heads // config.num_kv_heads
        num_scores = TILE * group * (config.max_context + MAX_LANES)

        def room(size: int, dtype: torch.dtype = torch.float32) -> int:
            return self._keep(torch.empty(size, dtype=dtype))

        half = config.head_dim // 2
        columns = (half, half, heads, keys, keys, heads, ffn, ffn, config.width)
        return Scratch(
            *(room(ROOM * size) for size in columns),
            room(threads * num_normed),
            room(threads * num_scores),
            room(threads * num_blocks * 16, torch.int32),
            room(threads * num_blocks),
            room(threads * num_blocks),
            num_normed,
            num_scores,
            num_blocks,
            ROOM,
        )


def _head_name(config: ModelConfig) -> str:
    return f"{'model.embed_tokens' if config.is_tied else 'lm_head'}.weight"


def _names(config: ModelConfig) -> list[str]:
    layers = [f"model.layers.{i}." for i in range(config.num_layers)]
    names = [
        f"{prefix}{name}.weight" for prefix in layers for name in MATRICES.values()
    ]
    return [*names, _head_name(config)]


def _rows(inputs: ForwardInputs) -> Tensor:
    """Which sequence each token belongs to: int64 [tokens]."""
    rows = [row for row, num in enumerate(inputs.query_lens) for _ in range(num)]
    return torch.tensor(rows)
