"""A decoder's parameters as named tensors, built from a flat name-to-tensor mapping.

Names are Hugging Face's (`model.layers.0.self_attn.q_proj.weight`); readers of other
formats rename. A missing tensor or a wrong shape is refused by name; nothing is copied,
so a head that shares the embedding stays one tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from labkit.config import ModelConfig
from labkit.errors import WeightsError

__all__ = [
    "FAMILIES",
    "LayerWeights",
    "ModelWeights",
    "Projection",
    "packed_name",
    "tensor_shapes",
]

FAMILIES = ("llama", "qwen2", "qwen3")  # model families that the decoder computes


@dataclass(frozen=True, slots=True)
class Projection:
    """A matrix [out, in] and, for Qwen2, a bias [out]."""

    weight: Tensor
    bias: Tensor | None


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """One layer's parameters; matrices are [out, in], norms [width] or [head_dim]."""

    attention_norm: Tensor
    query: Projection  # [heads * head_dim, width]
    key: Projection  # [kv_heads * head_dim, width]
    value: Projection
    output: Tensor  # [width, heads * head_dim]
    query_norm: Tensor | None  # Qwen3
    key_norm: Tensor | None
    ffn_norm: Tensor
    gate: Tensor  # [ffn_width, width]
    up: Tensor
    down: Tensor  # [width, ffn_width]


@dataclass(frozen=True, slots=True)
class ModelWeights:
    """All parameters of a decoder."""

    embedding: Tensor  # [vocab, width]
    layers: tuple[LayerWeights, ...]
    final_norm: Tensor  # [width]
    head: Tensor  # [vocab, width]; the embedding itself where the model ties them

    @property
    def matrix_bytes(self) -> int:
        """Bytes of the matrices that a pass of one token reads, the head among them."""
        matrices = [self.head]
        for each in self.layers:
            matrices += [each.query.weight, each.key.weight, each.value.weight]
            matrices += [each.output, each.gate, each.up, each.down]
        return sum(matrix.nbytes for matrix in matrices)

    @property
    def cost(self) -> str:
        """What a token costs where PyTorch computes: the bytes of all matrices."""
        size, unit = self.matrix_bytes / 1e3, "kB"
        if size >= 1e4:
            size, unit = size / 1e3, "MB"
        name = str(self.embedding.dtype).removeprefix("torch.")
        return f"computed in {name} by PyTorch, about {size:,.0f} {unit} a token"

    @classmethod
    def from_tensors(
        cls, config: ModelConfig, tensors: Mapping[str, Tensor]
    ) -> ModelWeights:
        """Pick and check every tensor `config` asks for; others are left alone."""
        _check(config, tensors)
        embedding = tensors["model.embed_tokens.weight"]
        head = embedding if config.is_tied else tensors["lm_head.weight"]
        layers = [
            _layer(tensors, f"model.layers.{i}.") for i in range(config.num_layers)
        ]
        return cls(embedding, tuple(layers), tensors["model.norm.weight"], head)


def _layer(tensors: Mapping[str, Tensor], prefix: str) -> LayerWeights:
    def projection(name: str) -> Projection:
        stem = f"{prefix}self_attn.{name}_proj"
        return Projection(tensors[f"{stem}.weight"], tensors.get(f"{stem}.bias"))

    return LayerWeights(
        attention_norm=tensors[f"{prefix}input_layernorm.weight"],
        query=projection("q"),
        key=projection("k"),
        value=projection("v"),
        output=tensors[f"{prefix}self_attn.o_proj.weight"],
        query_norm=tensors.get(f"{prefix}self_attn.q_norm.weight"),
        key_norm=tensors.get(f"{prefix}self_attn.k_norm.weight"),
        ffn_norm=tensors[f"{prefix}post_attention_layernorm.weight"],
        gate=tensors[f"{prefix}mlp.gate_proj.weight"],
        up=tensors[f"{prefix}mlp.up_proj.weight"],
        down=tensors[f"{prefix}mlp.down_proj.weight"],
    )


def tensor_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor that a model of this shape must have."""
    vocab = (config.vocab_size, config.width)
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": vocab}
    for index in range(config.num_layers):
        for name, shape in _layer_shapes(config).items():
            shapes[f"model.layers.{index}.{name}"] = shape
    shapes["model.norm.weight"] = (config.width,)
    return shapes if config.is_tied else {**shapes, "lm_head.weight": vocab}


def packed_name(name: str) -> str:
    """Under which name the file's own quantised blocks of matrix `name` are kept."""
    return f"packed.{name}"


def _layer_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    width, ffn = config.width, config.ffn_width
    heads = config.num_heads * config.head_dim
    kv_heads = config.num_kv_heads * config.head_dim
    shapes: dict[str, tuple[int, ...]] = {
        "input_layernorm.weight": (width,),
        "self_attn.q_proj.weight": (heads, width),
        "self_attn.k_proj.weight": (kv_heads, width),
        "self_attn.v_proj.weight": (kv_heads, width),
        "self_attn.o_proj.weight": (width, heads),
        "post_attention_layernorm.weight": (width,),
        "mlp.gate_proj.weight": (ffn, width),
        "mlp.up_proj.weight": (ffn, width),
        "mlp.down_proj.weight": (width, ffn),
    }
    if config.has_qkv_bias:
        sizes = {"q": heads, "k": kv_heads, "v": kv_heads}
        shapes |= {f"self_attn.{n}_proj.bias": (size,) for n, size in sizes.items()}
    if config.has_qk_norm:
        shapes |= {f"self_attn.{n}_norm.weight": (config.head_dim,) for n in "qk"}
    return shapes


def _check(config: ModelConfig, tensors: Mapping[str, Tensor]) -> None:
    for name, wanted in tensor_shapes(config).items():
        if name not in tensors:
            raise WeightsError(
                f"the weights lack {name}; the file is incomplete, get it again"
            )
        shape = tuple(tensors[name].shape)
        if shape != wanted:
            raise WeightsError(
                f"{name} has shape {shape}, the model's config asks for {wanted}; "
                "config and weights are not of one model"
            )
