"""An unkind network as a pure function: frames in, (delay, bytes) pieces out.

It waits for nothing and draws no chance: the same frames and faults always give the
same pieces. Unless the connection is cut or a frame doubled, the pieces joined are the
frames joined.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import pairwise

from labkit.errors import ConfigError
from labkit.records import Faults

__all__ = ["cut_points", "recut", "relay"]

Piece = tuple[float, bytes]  # seconds to wait before it, the bytes


def relay(frames: Sequence[bytes], faults: Faults) -> list[Piece]:
    """What arrives when `frames` travel through a network with `faults`."""
    _refuse(faults)
    pieces = _coalesced(_doubled(frames, faults.duplicate_at), faults.coalesce)
    if faults.chunk_bytes is not None:
        data = b"".join(pieces)
        pieces = recut(data, range(0, len(data), faults.chunk_bytes))
    if faults.split_utf8:
        pieces = [part for piece in pieces for part in recut(piece, _inside(piece))]
    pieces = _dropped(pieces, faults.drop_at)
    half = len(pieces) // 2
    return [(faults.stall_s if i == half else 0.0, p) for i, p in enumerate(pieces)]


def recut(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """`data` in pieces that begin at the byte positions `cuts`; none is empty."""
    places = sorted({0, len(data), *(c for c in cuts if 0 < c < len(data))})
    return [data[a:b] for a, b in pairwise(places)]


def cut_points(num_bytes: int, num_cuts: int, seed: int) -> list[int]:
    """Up to `num_cuts` positions inside `num_bytes`, the same for a seed everywhere."""
    if num_bytes < 2:
        return []
    found = set()
    for i in range(num_cuts):
        digest = hashlib.blake2b(f"{seed}/{i}".encode(), digest_size=8).digest()
        found.add(1 + int.from_bytes(digest, "big") % (num_bytes - 1))
    return sorted(found)


def _refuse(faults: Faults) -> None:
    for name, least in (("chunk_bytes", 1), ("coalesce", 1), ("drop_at", 0)):
        value = getattr(faults, name)
        if value is not None and value < least:
            raise ConfigError(f"{name}={value}: use {least} or more")
    if faults.stall_s < 0:
        raise ConfigError(f"stall_s={faults.stall_s}: use 0 or more seconds")


def _doubled(frames: Sequence[bytes], index: int | None) -> list[bytes]:
    if index is None:
        return list(frames)
    if not 0 <= index < len(frames):
        last = len(frames) - 1
        raise ConfigError(f"duplicate_at={index}: use a frame from 0 to {last}")
    return [*frames[: index + 1], *frames[index:]]


def _coalesced(frames: Sequence[bytes], group: int) -> list[bytes]:
    starts = range(0, len(frames), group)
    return [b"".join(frames[start : start + group]) for start in starts]


def _inside(data: bytes) -> set[int]:
    """Every position inside a character: UTF-8 continues it with bytes 10xxxxxx."""
    return {i for i, byte in enumerate(data) if byte & 0xC0 == 0x80}


def _dropped(pieces: Sequence[bytes], limit: int | None) -> list[bytes]:
    """The pieces up to `limit` bytes, the last one cut short."""
    if limit is None:
        return list(pieces)
    kept, left = [], limit
    for piece in pieces:
        if left > 0:
            kept.append(piece[:left])
        left -= len(piece)
    return kept
