"""A stream as it crosses a network, and what can happen to it there."""

from __future__ import annotations

from dataclasses import dataclass

from labkit.records.request import Usage

__all__ = ["Delivery", "Faults", "Link", "StreamChunk"]


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


@dataclass(frozen=True, slots=True)
class Link:
    """One direction of a connection through a `LoopbackRelay`; the defaults do nothing.

    `lose` and `duplicate` count the bytes that enter this direction of a connection,
    `stall_at` and `cut_at` those that leave it.
    """

    bytes_per_s: float | None = None  # bandwidth
    jitter_s: float = 0.0  # each piece up to this much later, drawn; order is kept
    buffer_bytes: int = 0  # hold bytes back until so many are there, as proxies do
    coalesce_s: float = 0.0  # send what comes within this time in one piece
    chunk_bytes: int | None = None  # cut into pieces of this size
    is_ragged: bool = False  # into pieces of 1 to `chunk_bytes` bytes, drawn
    gap_s: float = 0.0  # at least this time between two pieces
    lose: tuple[int, int] | None = None  # drop the bytes from here up to there
    duplicate: tuple[int, int] | None = None  # send the bytes from here to there twice
    stall_at: int | None = None  # send this many bytes, then wait `stall_s`
    stall_s: float = 0.0  # `math.inf`: send nothing more
    cut_at: int | None = None  # close both connections after this many bytes
    is_reset: bool = False  # cut with a reset (RST) instead of an orderly end (FIN)
    seed: int = 0  # of what is drawn


@dataclass(frozen=True, slots=True)
class Delivery:
    """Bytes that a `LoopbackRelay` has handed on in one write."""

    connection: int  # counted from 0 in the order of their coming
    is_down: bool  # towards the client
    time_s: float  # on the relay's clock
    num_bytes: int
