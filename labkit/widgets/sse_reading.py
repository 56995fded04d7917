"""What two readers make of the same bytes: the real SSE parser and a naive one.

The naive reader does what first attempts do: it takes every network piece for whole
frames and whole characters. The data that either finds is understood by the dialect's
own reader, so that they differ in nothing but the parsing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from labkit.dialects.events import Meaning
from labkit.dialects.readers import Dialect, dialect_of, reader
from labkit.dialects.wire import ChunkReader
from labkit.records import Usage
from labkit.text.sse import SSEEvent, SSEParser

__all__ = ["Block", "Reading", "blocks", "naive_data", "reading"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a client knows at the end of the bytes it got."""

    text: str = ""
    usage: Usage | None = None  # the last one known, also of an unfinished stream
    is_complete: bool = False  # the dialect's own end was seen
    num_read: int = 0  # pieces of data understood
    num_lost: int = 0  # pieces of data that were no JSON object

    def after(self, said: Meaning) -> Reading:
        """The same client, one event later."""
        if not said.is_object:
            return replace(self, num_lost=self.num_lost + 1)
        return replace(
            self,
            text=self.text + said.text,
            usage=said.usage or self.usage,
            is_complete=self.is_complete or said.kind == "done",
            num_read=self.num_read + 1,
        )


@dataclass(frozen=True, slots=True)
class Block:
    """Bytes up to and including a blank line, and the event that they dispatch."""

    start: int
    end: int
    raw: str
    event: SSEEvent | None  # None for comments and unfinished blocks


def blocks(data: bytes) -> list[Block]:
    """`data` cut after its blank lines; the last block may be unfinished."""
    cutter, parser = ChunkReader(reader(Dialect.OPENAI)), SSEParser()
    cutter.feed(data)
    found: list[Block] = []
    start = 0
    for frame in (*cutter.frames, cutter.rest):
        if frame:
            events = parser.feed(frame)  # at most one: a frame has one blank line
            raw, end = frame.decode("utf-8", "replace"), start + len(frame)
            found.append(Block(start, end, raw, events[0] if events else None))
            start = end
    return found


def naive_data(pieces: Iterable[bytes]) -> list[str]:
    """Data lines as a client sees them that trusts the network's piece borders."""
    found: list[str] = []
    for piece in pieces:
        for part in piece.decode("utf-8", "replace").split("\n\n"):
            lines = [line for line in part.split("\n") if line]
            marked = [line[6:] for line in lines if line.startswith("data: ")]
            found.extend(marked or ([part] if lines and part[:1] != ":" else []))
    return found


def reading(data: Sequence[str]) -> Reading:
    """The state after all pieces of data, whichever dialect they speak."""
    events, state = reader(dialect_of(data)), Reading()
    for item in data:
        state = state.after(events.read(item))
    return state
