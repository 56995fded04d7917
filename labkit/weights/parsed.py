"""A parsed GGUF, kept as one safetensors file so that the next start takes a second.

Reading a vocabulary and dequantising 4-bit blocks takes about ten seconds; mapping
float32 takes none. The blocks themselves are kept beside it. The file is named after
the GGUF's SHA-256 and this format's version, so it can never be stale; config and
tokenizer travel in its metadata.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from torch import Tensor

from labkit.config import ModelConfig, RopeScaling
from labkit.records import TokenizerSpec
from labkit.weights.files import (
    let_go_of_pages,
    parsed_path,
    replacing,
    require_room,
)
from labkit.weights.gguf_file import GGUFFile
from labkit.weights.parameters import packed_name, tensor_shapes

__all__ = ["ModelParts", "let_go_of_blocks", "open_parsed"]


@dataclass(frozen=True, slots=True)
class ModelParts:
    """What a model is made of, before it is put on a device."""

    config: ModelConfig
    tokenizer: TokenizerSpec
    name: str
    tensors: Mapping[str, Tensor]  # mapped to a file: float32, and blocks (uint8)
    is_gguf: bool = False
    other_types: tuple[str, ...] = ()  # a GGUF's, that the kernels cannot read


def open_parsed(source: Path, cache: Path) -> ModelParts:
    """The parts of the GGUF file `source`, parsed into `cache` if not yet there."""
    place = parsed_path(source, cache)
    if (parts := _read(place)) is None:
        _write(place, GGUFFile(source))
        parts = _read(place)
    assert parts is not None, f"{place} was written and cannot be read"
    return parts


def let_go_of_blocks(parts: ModelParts) -> None:
    """Free the memory of the blocks, which have been laid out anew elsewhere."""
    for name, tensor in parts.tensors.items():
        if name.startswith(packed_name("")):
            let_go_of_pages(tensor.data_ptr(), tensor.nbytes)


def _read(place: Path) -> ModelParts | None:
    """The parts in `place`; None where it is missing or damaged."""
    try:
        with safe_open(place, framework="pt") as file:
            about = json.loads(file.metadata()["labkit"])
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
        config, tokenizer = _config(about["config"]), _tokenizer(about["tokenizer"])
        others = tuple(about["other_types"])
        return ModelParts(config, tokenizer, about["name"], tensors, True, others)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None


def _config(data: dict[str, Any]) -> ModelConfig:
    scaling = data["rope_scaling"]
    known = None if scaling is None else RopeScaling(**scaling)
    return ModelConfig(**{**data, "rope_scaling": known})


def _tokenizer(data: dict[str, Any]) -> TokenizerSpec:
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in data.items()
    }
    return TokenizerSpec(**values)


def _write(place: Path, source: GGUFFile) -> None:
    """Write header, then tensors one by one: memory holds one of them at a time.

    The layout is safetensors': the header's length in 8 bytes, little end first, the
    header as JSON, then raw little-endian values at the offsets it names.
    """
    shapes = tensor_shapes(source.config)
    found = {name: source.blocks(name) for name in shapes}
    blocks = {name: rows for name, rows in found.items() if rows is not None}
    header = _header(source, shapes, blocks)
    num_bytes = 4 * sum(math.prod(shape) for shape in shapes.values())
    num_bytes += sum(rows.nbytes for rows in blocks.values())
    require_room(place.parent, 8 + len(header) + num_bytes)
    with replacing(place) as file:
        file.write(len(header).to_bytes(8, "little"))
        file.write(header)
        for name in shapes:
            file.write(source.tensor(name).astype("<f4", copy=False).data)
        for rows in blocks.values():
            file.write(rows.data)


def _header(
    source: GGUFFile,
    shapes: Mapping[str, tuple[int, ...]],
    blocks: Mapping[str, npt.NDArray[np.uint8]],
) -> bytes:
    about = {
        "config": asdict(source.config),
        "tokenizer": asdict(source.tokenizer),
        "name": source.name,
        "other_types": source.other_types(),
    }
    entries: dict[str, Any] = {"__metadata__": {"labkit": json.dumps(about)}}
    start = 0
    kinds = [(name, "F32", shape, 4) for name, shape in shapes.items()]
    kinds += [(packed_name(name), "U8", b.shape, 1) for name, b in blocks.items()]
    for name, dtype, shape, num_bytes in kinds:
        end = start + num_bytes * math.prod(shape)
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
        start = end
    text = json.dumps(entries, ensure_ascii=False).encode()
    return text + b" " * (-len(text) % 8)  # values begin on a multiple of 8
