"""A stream as it crosses a network, and what can happen to it there."""

from __future__ import annotations

from dataclasses import dataclass

from labkit.records.request import Usage

__all__ = ["Faults", "StreamChunk"]


@dataclass(frozen=True, slots=True)
class StreamChunk:
    """One SSE event as a client got it, stamped on arrival.

    `kind` is one of role, content, finish, usage, done, comment, error, other.
    """

    index: int
    time_s: float  # since the request was sent
    kind: str
    raw: str  # the frame's text, blank line included
    text: str = ""  # visible text it adds
    token_ids: tuple[int, ...] = ()  # where the server reports them
    finish: str | None = None  # why the answer ended, in the neutral words if known
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Faults:
    """What an unkind network does to a stream of bytes; the defaults do nothing."""

    chunk_bytes: int | None = None  # cut into pieces of this size
    split_utf8: bool = False  # cut inside every multi-byte character
    coalesce: int = 1  # join this many frames into one piece
    drop_at: int | None = None  # lose the connection after this many bytes
    stall_s: float = 0.0  # wait once, half-way
    duplicate_at: int | None = None  # send the frame of this number twice
