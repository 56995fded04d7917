"""A model's tensors as the kernels read them: tiles of blocks, norms, and pointers.

It computes nothing. The invariant is that every tensor a pointer leads to is held here,
so the pointers are good for as long as the packed model is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from labkit.config import ModelConfig
from labkit.native.kernels import (
    MAX_ROWS,
    Kernels,
    Layer,
    Matrix,
    Model,
)
from labkit.weights.frequencies import inverse_frequencies
from labkit.weights.parameters import packed_name

__all__ = ["PackedModel", "obstacle"]

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


def obstacle(
    config: ModelConfig, tensors: Mapping[str, Tensor], other_types: Sequence[str]
) -> str | None:
    """What keeps the kernels from a model: its shape, or its file's `other_types`."""
    if config.has_qkv_bias or config.has_qk_norm or config.head_dim % MAX_ROWS:
        return f"{config.family}, whose shape the kernels do not know"
    layers = [f"model.layers.{index}." for index in range(config.num_layers)]
    names = [f"{layer}{name}.weight" for layer in layers for name in MATRICES.values()]
    if all(packed_name(name) in tensors for name in (*names, _head_name(config))):
        return None
    return ", ".join(other_types) or "weights that are not quantised"


class PackedModel:
    """A decoder's weights in tiles, which nobody changes: any thread may read them."""

    def __init__(
        self, config: ModelConfig, tensors: Mapping[str, Tensor], kernels: Kernels
    ) -> None:
        self.num_bytes = 0  # of the packed matrices
        self._kernels = kernels
        self._held: list[Tensor] = []  # what the pointers below lead to
        layers = [self._layer(index, tensors) for index in range(config.num_layers)]
        self.model = Model(
            config.width,
            config.num_heads,
            config.num_kv_heads,
            config.head_dim,
            kernels.num_threads,
            config.norm_eps,
            (Layer * len(layers))(*layers),
            self._keep(tensors["model.norm.weight"]),
            self._keep(inverse_frequencies(config, torch.device("cpu"))),
            self._matrix(_head_name(config), tensors),
        )

    def _keep(self, tensor: Tensor) -> int:
        """Where a tensor lies, which is held."""
        self._held.append(tensor)
        return tensor.data_ptr()

    def _layer(self, index: int, tensors: Mapping[str, Tensor]) -> Layer:
        prefix = f"model.layers.{index}."
        norms = {
            field: self._keep(tensors[f"{prefix}{name}.weight"])
            for field, name in NORMS.items()
        }
        matrices = {
            field: self._matrix(f"{prefix}{name}.weight", tensors)
            for field, name in MATRICES.items()
        }
        return Layer(**norms, **matrices)

    def _matrix(self, name: str, tensors: Mapping[str, Tensor]) -> Matrix:
        out, width = tensors[name].shape
        blocks = tensors[packed_name(name)]
        matrix = Matrix(None, out, width, ROW_BYTES[blocks.shape[1] * 32 // width])
        tiles = self._kernels.pack(matrix, blocks)
        self.num_bytes += tiles.nbytes
        matrix.tiles = self._keep(tiles)
        return matrix


def _head_name(config: ModelConfig) -> str:
    return f"{'model.embed_tokens' if config.is_tied else 'lm_head'}.weight"
