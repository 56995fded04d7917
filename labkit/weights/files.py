"""Files that are whole or absent: written beside their place, then renamed.

A run that is killed, a full disk or two runs at once never leave half a file under the
final name. System errors become one sentence with the remedy.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import json
import mmap
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from labkit.errors import WeightsError

__all__ = [
    "PARSED_VERSION",
    "let_go_of_pages",
    "named_parts",
    "parsed_path",
    "part_names",
    "read_json",
    "replacing",
    "require_room",
    "sha256_of",
    "stem_of",
]

PARSED_VERSION = 4  # of the parsed form of a GGUF, see parsed.py

PART_NAME = re.compile(r"(?P<stem>.+)-\d{5}-of-(?P<count>\d{5})\.gguf")

STALE_AFTER_S = 24 * 3600  # a partial file untouched for a day has no writer left


def sha256_of(path: Path) -> str:
    """SHA-256 of the file at `path`, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def parsed_path(source: Path, cache: Path) -> Path:
    """Where in `cache` the parsed form of the GGUF file `source` belongs.

    Any part of a split file stands for all of them.
    """
    parts = [sha256_of(part) for part in named_parts(source)]
    whole = parts[0] if len(parts) == 1 else _sha256_of_text("".join(parts))
    sign = f"{whole[:16]}-v{PARSED_VERSION}"
    return cache / f"{stem_of(source)}-{sign}.safetensors"


def _sha256_of_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def stem_of(path: Path) -> str:
    """A GGUF's name: the file's, without the number of its part."""
    found = PART_NAME.fullmatch(path.name)
    return found["stem"] if found else path.stem


def part_names(path: Path, count: int) -> list[Path]:
    """What the `count` parts of a split GGUF are called, `path` among them."""
    stem = stem_of(path)
    names = (f"{stem}-{number:05}-of-{count:05}.gguf" for number in range(1, count + 1))
    return [path.with_name(name) for name in names]


def named_parts(path: Path) -> list[Path]:
    """`path` and, where its name is a part's, the other parts that are there."""
    found = PART_NAME.fullmatch(path.name)
    names = part_names(path, int(found["count"])) if found else [path]
    return [name for name in names if name == path or name.is_file()]


def let_go_of_pages(address: int, num_bytes: int) -> None:
    """Take a mapped file's pages out of memory; who reads there gets them back.

    Only for memory that a file is mapped to: other memory would lose its contents.
    """
    first = -(-address // mmap.PAGESIZE) * mmap.PAGESIZE
    last = (address + num_bytes) // mmap.PAGESIZE * mmap.PAGESIZE
    if first < last and hasattr(mmap, "MADV_DONTNEED"):
        advise = ctypes.CDLL(None).madvise
        advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        advise(first, last - first, mmap.MADV_DONTNEED)


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in the file at `path`."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WeightsError(
            f"{path} is missing; pass a GGUF file or a whole model directory"
        ) from None
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path} is not JSON ({error}); get it again") from error
    if not isinstance(data, dict):
        raise WeightsError(f"{path} is not a JSON object; get it again")
    return data


def require_room(folder: Path, num_bytes: int) -> None:
    """Make `folder`; `WeightsError` unless its disk has `num_bytes` free."""
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    if free < num_bytes:
        raise WeightsError(
            f"{folder} needs {num_bytes / 1e6:,.0f} MB and its disk has "
            f"{free / 1e6:,.0f} MB free; free some space or choose another cache folder"
        )


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A new file that takes `path`'s place when the block ends without an error.

    Until then it has a name of its own in the same folder, so several runs may write at
    once: the last to finish stays. After an error nothing of it is left.
    """
    with _explained(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(".part", f".{path.name}.", path.parent)
        draft = Path(name)
        try:
            with os.fdopen(handle, "w+b") as file:
                _remove_stale(draft)
                yield file
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def _remove_stale(draft: Path) -> None:
    """Delete what killed runs left beside `draft`, which was made just now."""
    now = draft.stat().st_mtime  # the file system's own clock
    for other in draft.parent.glob(".*.part"):
        with contextlib.suppress(FileNotFoundError):  # its writer was done first
            if now - other.stat().st_mtime > STALE_AFTER_S:
                other.unlink()


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            why = "the disk is full; free some space or choose another cache folder"
        else:
            why = f"{error.strerror or error}; choose a cache folder you may write to"
        raise WeightsError(f"cannot write in {folder}: {why}") from error
