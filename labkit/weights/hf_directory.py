"""A Hugging Face model directory as config, tokenizer and tensors.

Reads `config.json`, `tokenizer.json` and safetensors, whole or in shards; tensors stay
mapped to their files until they are converted. Refuses by name what labkit does not
compute, and every option that would change the result without our noticing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from labkit.config import ModelConfig, RopeScaling
from labkit.errors import WeightsError
from labkit.records import TokenizerSpec
from labkit.weights.parameters import FAMILIES

__all__ = ["config_from", "read_config", "read_tensors", "read_tokenizer"]

PLAIN = {  # settings that must have this value where they are given at all
    "hidden_act": "silu",
    "mlp_bias": False,
    "attention_bias": False,
    "use_sliding_window": False,
}


def read_config(folder: Path) -> ModelConfig:
    """The shape that `config.json` in `folder` describes."""
    try:
        return config_from(_read_json(folder / "config.json"))
    except KeyError as error:
        raise WeightsError(f"{folder / 'config.json'} has no {error}") from None
    except WeightsError as error:
        raise WeightsError(f"{folder}: {error}") from error


def config_from(data: Mapping[str, Any]) -> ModelConfig:
    """The shape described by the values of a `config.json`."""
    family = data.get("model_type")
    if family not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise WeightsError(f"a model of family {family!r}; labkit computes: {known}")
    for name, wanted in PLAIN.items():
        if data.get(name, wanted) != wanted:
            raise WeightsError(f"{name}={data[name]!r}; labkit computes {wanted!r}")
    heads = data["num_attention_heads"]
    rope = _rope(data)
    return ModelConfig(
        family=family,
        vocab_size=data["vocab_size"],
        width=data["hidden_size"],
        num_layers=data["num_hidden_layers"],
        num_heads=heads,
        num_kv_heads=data.get("num_key_value_heads") or heads,
        head_dim=data.get("head_dim") or data["hidden_size"] // heads,
        ffn_width=data["intermediate_size"],
        rope_theta=float(rope.get("rope_theta", 10_000.0)),
        norm_eps=data.get("rms_norm_eps", 1e-6),
        max_context=data["max_position_embeddings"],
        is_tied=data.get("tie_word_embeddings", False),
        has_qkv_bias=family == "qwen2",
        has_qk_norm=family == "qwen3",
        rope_scaling=_scaling(rope),
    )


def _rope(data: Mapping[str, Any]) -> dict[str, Any]:
    """Rotary settings, from one mapping (transformers 5) or from two places (4)."""
    theta = {"rope_theta": data.get("rope_theta", 10_000.0)}
    old, new = data.get("rope_scaling"), data.get("rope_parameters")
    return {**theta, **(old or {}), **(new or {})}


def _scaling(rope: Mapping[str, Any]) -> RopeScaling | None:
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind == "default":
        return None
    if kind != "llama3":
        raise WeightsError(f"rope scaling {kind!r}; labkit computes default and llama3")
    return RopeScaling(
        factor=rope["factor"],
        low_freq_factor=rope["low_freq_factor"],
        high_freq_factor=rope["high_freq_factor"],
        original_max_context=rope["original_max_position_embeddings"],
    )


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """Every tensor in `folder` by name, as stored, mapped rather than read."""
    index = folder / "model.safetensors.index.json"
    if index.exists():
        names = sorted(set(_read_json(index)["weight_map"].values()))
    else:
        names = ["model.safetensors"]
    tensors: dict[str, Tensor] = {}
    for name in names:
        tensors |= _load(folder / name)
    return tensors


def _load(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except FileNotFoundError:
        raise WeightsError(
            f"{path} is missing; download the whole model again"
        ) from None
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is damaged ({error}); download it again") from error


def read_tokenizer(folder: Path) -> TokenizerSpec:
    """The tokenizer of `folder`, its chat template and its end-of-text tokens."""
    source = folder / "tokenizer.json"
    if not source.exists():
        raise WeightsError(f"{source} is missing; labkit needs the fast tokenizer")
    ids = {**_read_json(folder / "config.json"), **_maybe(folder, "generation_config")}
    return TokenizerSpec(
        eos_ids=_as_ids(ids.get("eos_token_id")),
        chat_template=_template(folder),
        bos_id=ids.get("bos_token_id"),
        json=source.read_text(encoding="utf-8"),
    )


def _as_ids(value: int | list[int] | None) -> tuple[int, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, int) else tuple(value)


def _template(folder: Path) -> str | None:
    """Jinja source: a file of its own, else the entry in tokenizer_config.json."""
    own = folder / "chat_template.jinja"
    if own.exists():
        return own.read_text(encoding="utf-8")
    entry = _maybe(folder, "tokenizer_config").get("chat_template")
    if isinstance(entry, list):  # several named templates
        named = {item["name"]: item["template"] for item in entry}
        return named.get("default")
    return entry


def _maybe(folder: Path, stem: str) -> dict[str, Any]:
    path = folder / f"{stem}.json"
    return _read_json(path) if path.exists() else {}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WeightsError(
            f"{path} is missing; pass a GGUF file or a whole model directory"
        ) from None
    except ValueError as error:
        raise WeightsError(f"{path} is not JSON ({error}); get it again") from error
    return data
