"""Weights on disk to a model that computes: the one door, `load_model`.

Takes a GGUF file or a Hugging Face directory of the families Llama, Qwen2 and Qwen3. It
never downloads (`fetch` does) and never copies what it can map: float32 weights on the
CPU stay pages of the file, shared between processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from platformdirs import user_cache_path
from torch import Tensor

from labkit.config import ModelConfig, require_kernels
from labkit.errors import ConfigError, WeightsError
from labkit.model.decoder import Decoder
from labkit.model.device import default_dtype, pick_device
from labkit.model.loaded import LoadedModel
from labkit.native.packed import PackedDecoder
from labkit.native.packing import obstacle
from labkit.weights.hf_directory import (
    check_tensors,
    read_config,
    read_tensors,
    read_tokenizer,
)
from labkit.weights.parameters import ModelWeights, tensor_shapes
from labkit.weights.parsed import ModelParts, let_go_of_blocks, open_parsed

__all__ = ["LoadedModel", "load_model"]


def load_model(
    path: Path,
    *,
    device: str = "auto",
    dtype: torch.dtype | None = None,
    cache: Path | None = None,
    kernels: str = "auto",
) -> LoadedModel:
    """The model at `path`, a GGUF file or a Hugging Face directory, on `device`.

    `dtype` defaults to bfloat16 on a CUDA card that has it, to float32 elsewhere. A
    GGUF is parsed once into the folder `cache` (the user's cache folder by default) and
    mapped from there.
    `kernels` says what computes: "native", the kernels in C on the file's own 4-bit
    blocks, which needs a CPU, such blocks and a C compiler; "torch", PyTorch alone on
    `dtype`; "auto", the kernels wherever they can. A GGUF on the CPU that they cannot
    read says so in the model's `warnings`.
    `WeightsError` where the files are missing, damaged or of another family,
    `ConfigError` where the kernels were asked for and cannot compute.
    """
    require_kernels(kernels)
    target = pick_device(device)
    folder = cache or user_cache_path("labkit")
    parts = _parts(Path(path), folder)
    number = dtype or default_dtype(target)
    weights = _place(parts.config, parts.tensors, target, number)
    packed, warnings = None, tuple[str, ...]()
    if kernels != "torch":
        found = _packed(parts, folder, target, number)
        packed = found if isinstance(found, PackedDecoder) else None
        if kernels == "native" and packed is None:
            raise ConfigError(
                f"kernels='native': they cannot compute {parts.name} ({found}); "
                "use kernels='auto' or 'torch'"
            )
        if packed is None and parts.is_gguf and target.type == "cpu":
            warnings = (f"{found}: {weights.cost}",)
    decoder = Decoder(parts.config, weights, packed)
    return LoadedModel(parts.config, decoder, parts.tokenizer, parts.name, warnings)


def _packed(
    parts: ModelParts, cache: Path, device: torch.device, dtype: torch.dtype
) -> PackedDecoder | str:
    """The decoder over the kernels, or why there is none."""
    if device.type != "cpu" or dtype != torch.float32:
        return f"{dtype} on {device}".removeprefix("torch.")
    if why := obstacle(parts.config, parts.tensors, parts.other_types):
        return why
    packed = PackedDecoder.open(parts.config, parts.tensors, cache)
    if packed is None:
        return "no C compiler"
    let_go_of_blocks(parts)
    return packed


def _parts(path: Path, cache: Path) -> ModelParts:
    if path.is_dir():
        config, tokenizer = read_config(path), read_tokenizer(path)
        tensors = read_tensors(path)
        try:
            check_tensors(config, tensors)
        except WeightsError as error:
            raise WeightsError(f"{path}: {error}") from error
        return ModelParts(config, tokenizer, path.resolve().name, tensors)
    if not path.is_file():
        raise WeightsError(
            f"no weights at {path}: pass a GGUF file or a Hugging Face directory, "
            "or run python -m labkit.model.fetch"
        )
    return open_parsed(path, cache)


def _place(
    config: ModelConfig,
    tensors: Mapping[str, Tensor],
    device: torch.device,
    dtype: torch.dtype,
) -> ModelWeights:
    """The tensors that `config` needs, moved and converted; no copy if they are so."""
    needed = tensor_shapes(config)
    moved = {
        name: tensor.to(device, dtype)
        for name, tensor in tensors.items()
        if name in needed
    }
    return ModelWeights.from_tensors(config, moved)
