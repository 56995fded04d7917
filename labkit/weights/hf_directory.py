"""A Hugging Face model directory as config, tokenizer and tensors.

Reads `tokenizer.json` and safetensors, whole or in shards; tensors stay mapped to their
files until they are converted. What `config.json` says is read by `hf_config`. Refuses
by name every tensor that the model would not use.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from labkit.config import ModelConfig
from labkit.errors import WeightsError
from labkit.records import TokenizerSpec
from labkit.weights.control_tokens import marked_json
from labkit.weights.files import read_json
from labkit.weights.hf_config import config_from, refuse_quantised
from labkit.weights.parameters import tensor_shapes

__all__ = ["check_tensors", "read_config", "read_tensors", "read_tokenizer"]

NUMBERS = (torch.float32, torch.float16, torch.bfloat16)


def read_config(folder: Path) -> ModelConfig:
    """The shape that `config.json` in `folder` describes."""
    try:
        refuse_quantised(_maybe(folder, "hf_quant_config"))
        return config_from(read_json(folder / "config.json"))
    except WeightsError as error:
        if str(folder) in str(error):
            raise
        raise WeightsError(f"{folder}: {error}") from error


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """Every tensor in `folder` by name, as stored, mapped rather than read."""
    index = folder / "model.safetensors.index.json"
    whole = folder / "model.safetensors"  # comes first, as transformers has it
    if index.exists() and not whole.exists():
        weight_map = read_json(index).get("weight_map")
        if not isinstance(weight_map, dict):
            raise WeightsError(f"{index} has no weight_map; download it again")
        names = sorted(set(weight_map.values()))
    else:
        names = [whole.name]
    tensors: dict[str, Tensor] = {}
    for name in names:
        tensors |= _load(folder / name)
    return tensors


def check_tensors(config: ModelConfig, tensors: Mapping[str, Tensor]) -> None:
    """`WeightsError` for a tensor that the model would not use, or not as numbers.

    Quantised checkpoints keep the usual names, store other types and put scales beside
    them; biases of another model family are such tensors as well.
    """
    needed = tensor_shapes(config)
    for name, tensor in tensors.items():
        if name not in needed and not _is_spare(name):
            raise WeightsError(
                f"tensor {name} belongs to no {config.family} model that labkit "
                "computes, and without it the answers would be wrong; use another model"
            )
        if name in needed and tensor.dtype not in NUMBERS:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise WeightsError(
                f"tensor {name} is stored as {kind}; labkit reads float32, float16 and "
                "bfloat16. Use the model's unquantised checkpoint, or a GGUF of it"
            )


def _is_spare(name: str) -> bool:
    """A tensor that may be left out: a tied head's copy, or frequencies."""
    return name == "lm_head.weight" or name.endswith(".rotary_emb.inv_freq")


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
    ids = {**read_json(folder / "config.json"), **_maybe(folder, "generation_config")}
    declared = _as_ids(ids.get("eos_token_id"))
    begin = ids.get("bos_token_id")
    read_json(source)
    try:
        named = {*declared, *_as_ids(begin)}
        text = source.read_text(encoding="utf-8")
        text, ends = marked_json(text, named, declared)
    except WeightsError as error:
        raise WeightsError(f"{source}: {error}; download it again") from error
    except (AttributeError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{source} is not as the tokenizers library writes it ({error!r}); "
            "download it again"
        ) from error
    return TokenizerSpec(
        eos_ids=ends, chat_template=_template(folder), bos_id=begin, json=text
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
        named = {item.get("name"): item.get("template") for item in entry}
        entry = named.get("default")
    if entry is not None and not isinstance(entry, str):
        raise WeightsError(
            f"{folder / 'tokenizer_config.json'}: chat_template is not text; download "
            "it again"
        )
    return entry


def _maybe(folder: Path, stem: str) -> dict[str, Any]:
    path = folder / f"{stem}.json"
    return read_json(path) if path.exists() else {}
