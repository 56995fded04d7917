"""A GGUF file's metadata as our config and tokenizer, by pure functions.

Refuses by name what labkit does not compute. A setting of the model that it does not
know is refused too, unless it is off: what changes the numbers is never ignored.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from labkit.config import ModelConfig
from labkit.errors import ConfigError, WeightsError
from labkit.records import TokenizerSpec
from labkit.weights.control_tokens import CONTROL, NORMAL, end_ids, marked_types
from labkit.weights.parameters import FAMILIES

__all__ = ["config_of", "tokenizer_of"]

EOS_KEYS = ("eos_token_id", "eot_token_id", "eom_token_id")  # text, turn, message

# Settings that `config_of` reads, and some that change no logit.
READ = {
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.layer_norm_rms_epsilon",
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "rope.freq_base",
}
HARMLESS = {
    "expert_used_count",  # of none: expert_count is checked
    "pooling_type",  # how embeddings are made of hidden states
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length",  # for a scaling that is checked
    "vocab_size",  # the embedding's rows say it
}
# Settings that are off at these values as well as at 0, false and "none".
OFF_VALUES: dict[str, tuple[Any, ...]] = {
    "embedding_scale": (1.0,),
    "logit_scale": (1.0,),
    "residual_scale": (1.0,),
    "rope.scale_linear": (1.0,),
    "rope.scaling.attn_factor": (1.0,),
    "rope.scaling.factor": (1.0,),
    "tensor_data_layout": ("Meta AI original pth",),  # rows as `gguf_file` turns them
}


def config_of(
    fields: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]
) -> ModelConfig:
    """The model's shape, out of the metadata and the shapes of the tensors.

    Llama 3's rope scaling is no metadata but a tensor: see `gguf_file`.
    """
    arch = _need(fields, "general.architecture")
    if arch not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise WeightsError(f"a model of family {arch!r}; labkit computes: {known}")
    heads = _size(fields, f"{arch}.attention.head_count")
    width = _size(fields, f"{arch}.embedding_length")
    try:
        config = ModelConfig(
            family=arch,
            vocab_size=_vocab_size(fields, shapes),
            width=width,
            num_layers=_size(fields, f"{arch}.block_count"),
            num_heads=heads,
            num_kv_heads=_size(fields, f"{arch}.attention.head_count_kv", heads),
            head_dim=_size(fields, f"{arch}.attention.key_length", width // heads),
            ffn_width=_size(fields, f"{arch}.feed_forward_length"),
            rope_theta=_decimal(fields, f"{arch}.rope.freq_base", 10_000.0),
            norm_eps=_decimal(fields, f"{arch}.attention.layer_norm_rms_epsilon"),
            max_context=_size(fields, f"{arch}.context_length"),
            is_tied="output.weight" not in shapes,
            has_qkv_bias="blk.0.attn_q.bias" in shapes,
            has_qk_norm=arch == "qwen3" and "blk.0.attn_q_norm.weight" in shapes,
        )
    except ConfigError as error:
        raise WeightsError(str(error)) from error
    for key, value in fields.items():
        if key.startswith(f"{arch}."):
            _refuse_unless_off(key, key.removeprefix(f"{arch}."), value, config)
    return config


def tokenizer_of(fields: Mapping[str, Any]) -> TokenizerSpec:
    """The vocabulary, merges, control tokens and chat template."""
    kind = _need(fields, "tokenizer.ggml.model")
    if kind != "gpt2":
        raise WeightsError(
            f"the tokenizer is of kind {kind!r}; labkit reads byte-level BPE ('gpt2')"
        )
    if fields.get("tokenizer.ggml.add_space_prefix", False):
        raise WeightsError(
            "tokenizer.ggml.add_space_prefix is set: the tokenizer puts a space before "
            "each text, which labkit does not do; use another model"
        )
    tokens = tuple(_need(fields, "tokenizer.ggml.tokens"))
    begin = _token_id(fields, "bos_token_id", tokens)
    ends = [_token_id(fields, key, tokens) for key in EOS_KEYS]
    declared = [id for id in ends if id is not None]
    named = {*declared, *(() if begin is None else (begin,))}
    types = marked_types(tokens, _types(fields, tokens), named)
    control = {t for t, kind in zip(tokens, types, strict=True) if kind == CONTROL}
    ids = {token: place for place, token in enumerate(tokens)}
    return TokenizerSpec(
        eos_ids=end_ids(declared, ids, control),
        chat_template=_template(fields),
        bos_id=begin,
        tokens=tokens,
        token_types=types,
        merges=_merges(fields, ids),
        pre=fields.get("tokenizer.ggml.pre", ""),
    )


def _vocab_size(
    fields: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]
) -> int:
    """Rows of the embedding: as many as there are tokens, or more as padding."""
    num_tokens = len(_need(fields, "tokenizer.ggml.tokens"))
    num_rows = (shapes.get("token_embd.weight") or (num_tokens,))[0]
    if num_rows < num_tokens:
        raise WeightsError(
            f"token_embd.weight has {num_rows} rows for {num_tokens} tokens; "
            "vocabulary and weights are not of one model"
        )
    return num_rows


def _types(fields: Mapping[str, Any], tokens: Collection[str]) -> tuple[int, ...]:
    """What kind each token is; the list is optional and says "normal" if left out."""
    types = fields.get("tokenizer.ggml.token_type", (NORMAL,) * len(tokens))
    if len(types) != len(tokens):
        raise WeightsError(
            f"tokenizer.ggml.token_type has {len(types)} entries for {len(tokens)} "
            "tokens; fetch the file again"
        )
    return tuple(types)


def _merges(fields: Mapping[str, Any], ids: Mapping[str, int]) -> tuple[str, ...]:
    """The merges; each joins two tokens of the vocabulary to a third."""
    merges = tuple(_need(fields, "tokenizer.ggml.merges"))
    for place, merge in enumerate(merges):
        left, _, right = merge.partition(" ")
        for token in (left, right, left + right):
            if token not in ids:
                raise WeightsError(
                    f"merge {place}, {merge!r}, needs the token {token!r}, which the "
                    "vocabulary lacks; fetch the file again"
                )
    return merges


def _token_id(
    fields: Mapping[str, Any], key: str, tokens: Collection[str]
) -> int | None:
    """A token that the metadata names, None where it names none."""
    id: int | None = fields.get(f"tokenizer.ggml.{key}")
    if id is None or id in (-1, 0xFFFFFFFF):  # -1 is how some converters say none
        return None
    if not 0 <= id < len(tokens):
        raise WeightsError(
            f"tokenizer.ggml.{key} is {id} and the vocabulary has {len(tokens)} "
            "tokens; fetch the file again"
        )
    return id


def _template(fields: Mapping[str, Any]) -> str | None:
    source = fields.get("tokenizer.chat_template")
    if source is not None and not isinstance(source, str):
        raise WeightsError("tokenizer.chat_template is not text; fetch the file again")
    return source


def _refuse_unless_off(key: str, name: str, value: Any, config: ModelConfig) -> None:
    """`WeightsError` for a setting that would change the numbers without our doing."""
    if name in READ or name in HARMLESS:
        return
    wanted = _plain_values(config).get(name)
    if wanted is not None:
        is_plain = wanted(value)
    elif isinstance(value, list):
        is_plain = not any(value)
    else:
        is_plain = value in (0, "none", *OFF_VALUES.get(name, ()))
    if not is_plain:
        raise WeightsError(
            f"{key} is {value!r}, which labkit does not support, and without it the "
            "answers would be wrong; use a model without that setting"
        )


def _plain_values(config: ModelConfig) -> dict[str, Any]:
    """For settings that depend on the shape: is this value what labkit computes?"""
    usual_scale = 1 / math.sqrt(config.head_dim)
    return {
        "attention.causal": lambda value: value is True,
        "attention.scale": lambda value: (
            not value or math.isclose(value, usual_scale, rel_tol=1e-5)
        ),
        "attention.sliding_window": lambda value: (
            not _reach(value) or _reach(value) >= config.max_context
        ),
        "attention.value_length": lambda value: value == config.head_dim,
        "rope.dimension_count": lambda value: value == config.head_dim,
    }


def _reach(value: Any) -> float:
    """The shortest window, where each layer may have one of its own."""
    return min(value, default=0) if isinstance(value, list) else value


def _need(fields: Mapping[str, Any], key: str) -> Any:
    if key not in fields:
        raise WeightsError(f"no field {key}; the file is incomplete, fetch it again")
    return fields[key]


def _size(fields: Mapping[str, Any], key: str, default: int | None = None) -> int:
    """A whole number above 0; a list of one per layer only where all are the same."""
    value = _need(fields, key) if default is None else fields.get(key, default)
    if isinstance(value, list) and len(set(value)) == 1:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise WeightsError(
            f"{key} is {value!r}; labkit needs one whole number above 0 for all layers"
        )
    return value


def _decimal(
    fields: Mapping[str, Any], key: str, default: float | None = None
) -> float:
    """The number that was meant: 1e-05 for float32's 9.999999747378752e-06."""
    value = _need(fields, key) if default is None else fields.get(key, default)
    if not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise WeightsError(f"{key} is {value!r}; it must be a number above 0")
    return float(str(np.float32(value)))
