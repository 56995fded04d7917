"""A GGUF file, or all parts of a split one, as metadata and raw tensors.

Knows nothing of models. Refuses what would be read wrongly: a part without the others,
adapters and other files that are no model, and numbers in another byte order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf

from labkit.errors import WeightsError
from labkit.weights.files import part_names

__all__ = ["OpenGGUF", "open_gguf"]


@dataclass(frozen=True, slots=True)
class OpenGGUF:
    """Metadata of the first part, and the tensors of all."""

    fields: Mapping[str, Any]
    tensors: Mapping[str, Any]  # name to the gguf package's ReaderTensor


def open_gguf(path: Path) -> OpenGGUF:
    """Open `path`; it takes seconds, as the vocabulary is read in Python."""
    fields, tensors = _read(path)
    count = fields.get("split.count", 1)
    if count > 1:
        fields, tensors = _read_parts(path, fields)
    kind = fields.get("general.type", "model")
    if kind != "model":
        raise WeightsError(f"{path} holds a GGUF {kind!r}, not a model; pass the model")
    return OpenGGUF(fields, tensors)


def _read_parts(
    path: Path, fields: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metadata of the first part and the tensors of all `split.count` parts."""
    count = fields["split.count"]
    about = f"{path} is part {fields.get('split.no', 0) + 1} of {count}"
    names = part_names(path, count)
    missing = [name.name for name in names if not name.is_file()]
    if path not in names or missing:
        wanted = missing[0] if missing else f"a name such as {names[0].name}"
        raise WeightsError(
            f"{about}, and {wanted} is missing; put all parts into one folder under "
            "the names they were published with"
        )
    read = [_read(name) for name in names]
    for number, (name, (part, _)) in enumerate(zip(names, read, strict=True)):
        if (part.get("split.no"), part.get("split.count")) != (number, count):
            raise WeightsError(
                f"{about}, but {name.name} says that it is part "
                f"{part.get('split.no', 0) + 1} of {part.get('split.count', 1)}; "
                "fetch all parts of one release again"
            )
    tensors = {key: found for _, some in read for key, found in some.items()}
    wanted = fields.get("split.tensors.count", len(tensors))
    if len(tensors) != wanted:
        raise WeightsError(
            f"{about}; together they hold {len(tensors)} tensors and should hold "
            f"{wanted}; fetch all parts of one release again"
        )
    return read[0][0], tensors


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metadata and tensors of one file."""
    try:
        reader = gguf.GGUFReader(path)
        fields = {key: field.contents() for key, field in reader.fields.items()}
    except (OSError, ValueError, IndexError, KeyError, OverflowError) as error:
        raise WeightsError(
            f"{path} is not a readable GGUF file ({error}); fetch it again"
        ) from error
    if reader.byte_order == "S":
        raise WeightsError(
            f"{path} is written for processors of another byte order; convert it with "
            "gguf-convert-endian, or fetch the usual file"
        )
    return fields, {tensor.name: tensor for tensor in reader.tensors}
