"""A GGUF file's tensors, float32, under Hugging Face's names.

One tensor is dequantised at a time, by the `gguf` package. llama.cpp's converter lays
Llama's query and key rows out for rotary pairs side by side; here they come back half
and half, as the rest of the house has them. Refuses files that lack a tensor, have one
of another shape than the metadata says, or one that the model would not use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
import torch

from labkit.config import ModelConfig, RopeScaling
from labkit.errors import WeightsError
from labkit.weights.files import stem_of
from labkit.weights.frequencies import inverse_frequencies
from labkit.weights.gguf_meta import config_of, tokenizer_of
from labkit.weights.gguf_open import open_gguf
from labkit.weights.parameters import tensor_shapes

__all__ = ["GGUFFile", "gguf_name"]

Array = npt.NDArray[np.float32]
DIVISORS = "rope_freqs.weight"  # Llama 3's rope scaling
PACKED_KINDS = ("Q4_1", "Q8_0")  # what native/layer.c reads

TOP_NAMES = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
LAYER_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def gguf_name(name: str) -> str:
    """GGUF's name for Hugging Face's: blk.3.attn_q.bias for layer 3's query bias."""
    if name in TOP_NAMES:
        return TOP_NAMES[name]
    _, _, layer, rest = name.split(".", 3)  # model.layers.3.self_attn.q_proj.bias
    stem, kind = rest.rsplit(".", 1)
    return f"blk.{layer}.{LAYER_NAMES[stem]}.{kind}"


class GGUFFile:
    """An open GGUF file, with all its parts; every tensor is there and fits."""

    def __init__(self, path: Path) -> None:
        self.path = path
        opened = open_gguf(path)
        self._tensors = opened.tensors
        shapes = {name: _shape(tensor) for name, tensor in opened.tensors.items()}
        try:
            self.config = self._scaled(config_of(opened.fields, shapes))
            self.tokenizer = tokenizer_of(opened.fields)
            _check_tensors(self.config, shapes)
        except WeightsError as error:
            raise WeightsError(f"{path}: {error}") from error
        self.name = stem_of(path)

    def tensor(self, name: str) -> Array:
        """The tensor Hugging Face calls `name`; a matrix is [out, in]."""
        values: Array = self._turned(name, self._stored(gguf_name(name)))
        return values

    def blocks(self, name: str) -> npt.NDArray[np.uint8] | None:
        """Raw blocks of 32 of a matrix: [out, bytes a row]; None for other kinds."""
        stored = self._tensors.get(gguf_name(name))
        if stored is None or stored.tensor_type.name not in PACKED_KINDS:
            return None
        rows: npt.NDArray[np.uint8] = self._turned(name, stored.data)
        return np.ascontiguousarray(rows)

    def other_types(self) -> tuple[str, ...]:
        """Types of matrices that `blocks` does not give, by name, each once."""
        used = {gguf_name(name) for name in tensor_shapes(self.config)}
        found = {
            stored.tensor_type.name
            for name, stored in self._tensors.items()
            if name in used and len(stored.shape) == 2
        }
        return tuple(sorted(found - set(PACKED_KINDS)))

    def _turned(self, name: str, rows: Any) -> Any:
        """`rows` as the house has them: query and key rows in another order."""
        is_turned = ".q_proj." in name or ".k_proj." in name
        if self.config.family == "llama" and is_turned:
            return _half_and_half(rows, self.config.head_dim)
        return rows

    def _stored(self, name: str) -> Array:
        stored = self._tensors[name]
        try:
            plain = gguf.dequantize(stored.data, stored.tensor_type)
        except NotImplementedError:
            kind = stored.tensor_type.name
            raise WeightsError(
                f"{self.path}: {name} is stored as {kind}, which the gguf package "
                "cannot read; use a file of another quantisation"
            ) from None
        return np.ascontiguousarray(plain, dtype=np.float32)

    def _scaled(self, config: ModelConfig) -> ModelConfig:
        """`config` with Llama 3's rope scaling, if the file has its divisors."""
        if DIVISORS not in self._tensors:
            return config
        divisors = self._stored(DIVISORS)  # [d/2], 1 for fast pairs
        scaled = replace(config, rope_scaling=_llama3(float(divisors.max())))
        cpu = torch.device("cpu")
        ours = inverse_frequencies(config, cpu) / inverse_frequencies(scaled, cpu)
        is_same = ours.numpy().shape == divisors.shape
        if not (is_same and np.allclose(ours.numpy(), divisors, rtol=1e-4)):
            raise WeightsError(
                f"{DIVISORS} is not Llama 3's rope scaling, the only one that labkit "
                "computes; use another model"
            )
        return scaled


def _shape(tensor: Any) -> tuple[int, ...]:
    """Rows first; GGUF itself names the innermost size first."""
    return tuple(int(size) for size in reversed(tensor.shape))


def _check_tensors(config: ModelConfig, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """`WeightsError` unless the file has the model's tensors and no others."""
    if config.num_layers > len(shapes):
        raise WeightsError(
            f"the metadata asks for {config.num_layers} layers and the file has "
            f"{len(shapes)} tensors; it is incomplete, fetch it again"
        )
    needed = {gguf_name(name): shape for name, shape in tensor_shapes(config).items()}
    for name, wanted in needed.items():
        if name not in shapes:
            raise WeightsError(f"it lacks the tensor {name}; fetch it again")
        if shapes[name] != wanted:
            raise WeightsError(
                f"tensor {name} has shape {shapes[name]} and the metadata asks for "
                f"{wanted}; metadata and weights are not of one model"
            )
    for name in shapes:
        if name not in needed and name != DIVISORS:
            raise WeightsError(
                f"tensor {name} belongs to no {config.family} model that labkit "
                "computes, and without it the answers would be wrong; use another model"
            )


def _llama3(factor: float) -> RopeScaling:
    """The scaling of every Llama 3.x release; only `factor` differs (8 or 32)."""
    return RopeScaling(
        factor, low_freq_factor=1.0, high_freq_factor=4.0, original_max_context=8192
    )


def _half_and_half(values: Any, head_dim: int) -> Any:
    """Undo the converter's row order: within a head, [d/2, 2] becomes [2, d/2]."""
    pairs = values.reshape(-1, head_dim // 2, 2, *values.shape[1:])
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(values.shape)
