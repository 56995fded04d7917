"""What a Hugging Face `config.json` says about a model's shape, by pure functions.

Refuses by name what labkit does not compute, and every setting that would change the
numbers without our doing. Keys that transformers itself does not read for these model
families are left alone: fine-tuning tools write many.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from labkit.config import ModelConfig, RopeScaling
from labkit.errors import ConfigError, WeightsError
from labkit.weights.parameters import FAMILIES

__all__ = ["config_from", "refuse_quantised"]

# Settings that must be absent, null or have one of these values.
PLAIN: dict[str, tuple[Any, ...]] = {
    "attention_bias": (False,),
    "attention_multiplier": (1.0,),
    "attn_logit_softcapping": (0,),
    "auto_map": ({},),  # code of its own that computes something else
    "embedding_multiplier": (1.0,),
    "final_logit_softcapping": (0,),
    "hidden_act": ("silu", "swish"),
    "is_causal": (True,),
    "logits_scaling": (1.0,),
    "mlp_bias": (False,),
    "num_experts": (0,),
    "num_local_experts": (0,),
    "partial_rotary_factor": (1.0,),
    "residual_multiplier": (1.0,),
    "rope_interleaved": (False,),
    "use_bidirectional_attention": (False,),
    "use_mrope": (False,),
    "use_sliding_window": (False,),
}
DEFAULT_HEAD_DIM = {"qwen3": 128}  # elsewhere: width / heads
ROPE_KEYS = {"rope_type", "type", "rope_theta", "partial_rotary_factor"}
LLAMA3_KEYS = (
    "factor",
    "low_freq_factor",
    "high_freq_factor",
    "original_max_position_embeddings",
)


def config_from(data: Mapping[str, Any]) -> ModelConfig:
    """The shape described by the values of a `config.json`."""
    family = data.get("model_type")
    if family not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise WeightsError(f"a model of family {family!r}; labkit computes: {known}")
    refuse_quantised(data)
    _refuse_unless_plain(data)
    heads = _size(data, "num_attention_heads")
    width = _size(data, "hidden_size")
    rope = _rope(data)
    try:
        return ModelConfig(
            family=family,
            vocab_size=_size(data, "vocab_size"),
            width=width,
            num_layers=_size(data, "num_hidden_layers"),
            num_heads=heads,
            num_kv_heads=_size(data, "num_key_value_heads", heads),
            head_dim=_size(
                data, "head_dim", DEFAULT_HEAD_DIM.get(family, width // heads)
            ),
            ffn_width=_size(data, "intermediate_size"),
            rope_theta=_number(rope, "rope_theta", 10_000.0),
            norm_eps=_number(data, "rms_norm_eps", 1e-6),
            max_context=_size(data, "max_position_embeddings"),
            is_tied=bool(data.get("tie_word_embeddings", False)),
            has_qkv_bias=family == "qwen2",
            has_qk_norm=family == "qwen3",
            rope_scaling=_scaling(rope),
        )
    except ConfigError as error:
        raise WeightsError(str(error)) from error


def refuse_quantised(data: Mapping[str, Any]) -> None:
    """`WeightsError` for a checkpoint whose tensors are not the weights themselves."""
    for key in ("quantization_config", "compression_config", "quantization"):
        about = data.get(key)
        if about:
            fields = about if isinstance(about, dict) else {}
            method = fields.get("quant_method") or fields.get("quant_algo") or "unnamed"
            raise WeightsError(
                f"a quantised checkpoint ({key}, method {method!r}), and labkit does "
                "not apply its scales; use the model's unquantised checkpoint, or a "
                "GGUF of it"
            )


def _refuse_unless_plain(data: Mapping[str, Any]) -> None:
    for name, plain in PLAIN.items():
        value = data.get(name)
        if value is not None and value not in plain:
            raise WeightsError(f"{name}={value!r}; labkit computes {plain[0]!r} only")
    kinds = data.get("layer_types") or ()
    odd = [kind for kind in kinds if kind != "full_attention"]
    if odd:
        raise WeightsError(
            f"layer_types has {odd[0]!r}; labkit computes full attention"
        )
    window = data.get("sliding_window")
    is_off = data.get("model_type") != "llama" and not data.get("use_sliding_window")
    if window and not is_off and window < _size(data, "max_position_embeddings"):
        raise WeightsError(f"sliding_window={window}; labkit computes full attention")


def _rope(data: Mapping[str, Any]) -> dict[str, Any]:
    """Rotary settings, from one mapping (transformers 5) or from two places (4)."""
    rope: dict[str, Any] = {"rope_theta": data.get("rope_theta")}
    for name in ("rope_scaling", "rope_parameters"):
        given = data.get(name) or {}
        if not isinstance(given, dict):
            raise WeightsError(f"{name}={given!r}; it must be an object")
        rope |= given
    if rope.get("partial_rotary_factor") not in (None, 1.0):
        factor = rope["partial_rotary_factor"]
        raise WeightsError(
            f"partial_rotary_factor={factor!r}; labkit turns whole heads only"
        )
    return rope


def _scaling(rope: Mapping[str, Any]) -> RopeScaling | None:
    """Llama 3's scaling or None; every other kind is refused, however it is spelt."""
    kinds = {str(rope[key]) for key in ("rope_type", "type") if rope.get(key)}
    for kind in kinds - {"default", "llama3"}:
        raise WeightsError(f"rope scaling {kind!r}; labkit computes default and llama3")
    is_llama3 = "llama3" in kinds
    known = ROPE_KEYS | set(LLAMA3_KEYS if is_llama3 else ())
    for key, value in rope.items():
        if key not in known and value is not None:
            raise WeightsError(
                f"rope setting {key}={value!r} without a rope_type that labkit "
                "computes (default or llama3); its answers would be wrong"
            )
    if not is_llama3:
        return None
    return RopeScaling(
        factor=_number(rope, "factor"),
        low_freq_factor=_number(rope, "low_freq_factor"),
        high_freq_factor=_number(rope, "high_freq_factor"),
        original_max_context=_size(rope, "original_max_position_embeddings"),
    )


def _size(data: Mapping[str, Any], key: str, default: int | None = None) -> int:
    value = _need(data, key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise WeightsError(f"{key}={value!r}; it must be a whole number above 0")
    return value


def _number(data: Mapping[str, Any], key: str, default: float | None = None) -> float:
    value = _need(data, key, default)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value <= 0:
        raise WeightsError(f"{key}={value!r}; it must be a number above 0")
    return float(value)


def _need(data: Mapping[str, Any], key: str, default: float | None) -> Any:
    """The value of `key`, `default` where it is absent or null."""
    value = data.get(key)
    if value is None and default is None:
        raise WeightsError(f"config.json has no {key!r}; get the file again")
    return default if value is None else value
