"""A GGUF file's metadata as our config and tokenizer, by pure functions.

Refuses by name what labkit does not compute, and every option that would change the
result without our noticing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from labkit.config import ModelConfig
from labkit.errors import WeightsError
from labkit.records import TokenizerSpec
from labkit.weights.parameters import FAMILIES

__all__ = ["config_of", "tokenizer_of"]

EOS_KEYS = ("eos_token_id", "eot_token_id", "eom_token_id")  # text, turn, message


def config_of(fields: Mapping[str, Any], tensors: Collection[str]) -> ModelConfig:
    """The model's shape, out of the metadata and the names of the tensors.

    Llama 3's rope scaling is no metadata but a tensor: see `gguf_file`.
    """
    arch = _need(fields, "general.architecture")
    _refuse_unknown(fields, arch)
    heads = _need(fields, f"{arch}.attention.head_count")
    width = _need(fields, f"{arch}.embedding_length")
    return ModelConfig(
        family=arch,
        vocab_size=len(_need(fields, "tokenizer.ggml.tokens")),
        width=width,
        num_layers=_need(fields, f"{arch}.block_count"),
        num_heads=heads,
        num_kv_heads=fields.get(f"{arch}.attention.head_count_kv", heads),
        head_dim=fields.get(f"{arch}.attention.key_length", width // heads),
        ffn_width=_need(fields, f"{arch}.feed_forward_length"),
        rope_theta=_decimal(fields.get(f"{arch}.rope.freq_base", 10_000.0)),
        norm_eps=_decimal(_need(fields, f"{arch}.attention.layer_norm_rms_epsilon")),
        max_context=_need(fields, f"{arch}.context_length"),
        is_tied="output.weight" not in tensors,
        has_qkv_bias="blk.0.attn_q.bias" in tensors,
        has_qk_norm="blk.0.attn_q_norm.weight" in tensors,
    )


def tokenizer_of(fields: Mapping[str, Any]) -> TokenizerSpec:
    """The vocabulary, merges, control tokens and chat template."""
    kind = _need(fields, "tokenizer.ggml.model")
    if kind != "gpt2":
        raise WeightsError(
            f"the tokenizer is of kind {kind!r}; labkit reads byte-level BPE ('gpt2')"
        )
    found = [fields.get(f"tokenizer.ggml.{key}") for key in EOS_KEYS]
    return TokenizerSpec(
        eos_ids=tuple(dict.fromkeys(id for id in found if id is not None)),
        chat_template=fields.get("tokenizer.chat_template"),
        bos_id=fields.get("tokenizer.ggml.bos_token_id"),
        tokens=tuple(_need(fields, "tokenizer.ggml.tokens")),
        token_types=tuple(_need(fields, "tokenizer.ggml.token_type")),
        merges=tuple(_need(fields, "tokenizer.ggml.merges")),
        pre=fields.get("tokenizer.ggml.pre", ""),
    )


def _refuse_unknown(fields: Mapping[str, Any], arch: str) -> None:
    if arch not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise WeightsError(f"a model of family {arch!r}; labkit computes: {known}")
    experts = fields.get(f"{arch}.expert_count", 0)
    if experts:
        raise WeightsError(f"a mixture of {experts} experts; use a dense model")
    scaling = fields.get(f"{arch}.rope.scaling.type", "none")
    if scaling != "none":
        raise WeightsError(f"rope scaling {scaling!r}; labkit knows only Llama 3's")


def _need(fields: Mapping[str, Any], key: str) -> Any:
    if key not in fields:
        raise WeightsError(f"no field {key}; the file is incomplete, fetch it again")
    return fields[key]


def _decimal(value: float) -> float:
    """The number that was meant: 1e-05 for float32's 9.999999747378752e-06."""
    return float(str(np.float32(value)))
