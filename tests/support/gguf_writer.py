"""Writes tiny GGUF files the way llama.cpp's converter does, from named tensors.

Names come from the gguf package's own map, not from ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from torch import Tensor

from labkit.config import ModelConfig
from labkit.records import TokenizerSpec
from tests.support.tiny import byte_tokenizer_spec

__all__ = ["Form", "Packed", "write_gguf"]

ARCHS = {
    "llama": gguf.MODEL_ARCH.LLAMA,
    "qwen2": gguf.MODEL_ARCH.QWEN2,
    "qwen3": gguf.MODEL_ARCH.QWEN3,
}


class Packed(dict[str, Tensor]):
    """Tensors whose matrices are to be stored as blocks of 32."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a file is written; the defaults are what a converter writes."""

    arch: str | None = None  # None: the config's family
    spec: TokenizerSpec | None = None  # None: bytes and a few merges
    tensors_a_part: int = 0  # above 0 the file becomes NAME-00001-of-0000N.gguf ...
    endianess: gguf.GGUFEndian = gguf.GGUFEndian.LITTLE
    layer_kind: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.Q4_1  # if packed


def write_gguf(
    path: Path,
    config: ModelConfig,
    tensors: Mapping[str, Tensor],
    *,
    fields: Mapping[str, Any] | None = None,
    extra: Mapping[str, np.ndarray] | None = None,
    form: Form = Form(),
) -> None:
    """Write `tensors` (Hugging Face names), as rows for side-by-side pairs.

    Those are stored as they come, but for `Packed` ones: embedding and head become
    Q8_0, other matrices `form.layer_kind`. `fields` are added or take another's place,
    and None takes one away.
    """
    writer = gguf.GGUFWriter(
        path,
        form.arch or config.family,
        split_max_tensors=form.tensors_a_part,
        endianess=form.endianess,
    )
    _add_shape(writer, config)
    _add_tokenizer(writer, form.spec or byte_tokenizer_spec(config.vocab_size))
    for key, value in (fields or {}).items():
        _add(writer, key, value)
    _add_tensors(writer, config, tensors, form.layer_kind)
    for name, array in (extra or {}).items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tensors(
    writer: gguf.GGUFWriter,
    config: ModelConfig,
    tensors: Mapping[str, Tensor],
    layer_kind: gguf.GGMLQuantizationType,
) -> None:
    names = gguf.get_tensor_name_map(ARCHS[config.family], config.num_layers)
    for name, tensor in tensors.items():
        stored = names.get_name(name, try_suffixes=(".weight", ".bias"))
        values = _turned(config, name, tensor.numpy())
        if isinstance(tensors, Packed) and values.ndim == 2:
            is_head = "embed_tokens" in name or "lm_head" in name
            kind = gguf.GGMLQuantizationType.Q8_0 if is_head else layer_kind
            packed = gguf.quants.quantize(values, kind)
            writer.add_tensor(stored, packed, raw_dtype=kind)
        else:
            writer.add_tensor(stored, values)


def _add_shape(writer: gguf.GGUFWriter, config: ModelConfig) -> None:
    writer.add_block_count(config.num_layers)
    writer.add_context_length(config.max_context)
    writer.add_embedding_length(config.width)
    writer.add_feed_forward_length(config.ffn_width)
    writer.add_head_count(config.num_heads)
    writer.add_head_count_kv(config.num_kv_heads)
    writer.add_key_length(config.head_dim)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_layer_norm_rms_eps(config.norm_eps)


def _add_tokenizer(writer: gguf.GGUFWriter, spec: TokenizerSpec) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(spec.pre)
    writer.add_token_list(list(spec.tokens))
    writer.add_token_types(list(spec.token_types))
    writer.add_token_merges(list(spec.merges))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    if spec.chat_template is not None:
        writer.add_chat_template(spec.chat_template)


def _add(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    """One field, of the type that converters write such a value as."""
    writer.kv_data[0].pop(key, None)
    if value is None:
        return
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    else:
        writer.add_array(key, value)


def _turned(config: ModelConfig, name: str, values: np.ndarray) -> np.ndarray:
    """The converter's `permute` of Llama's query and key rows, head by head."""
    if config.family != "llama" or not ("q_proj" in name or "k_proj" in name):
        return values
    num_heads = config.num_heads if "q_proj" in name else config.num_kv_heads
    halves = values.reshape(num_heads, 2, config.head_dim // 2, *values.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(values.shape))
