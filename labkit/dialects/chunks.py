"""Bytes of an event stream → `StreamChunk` records, the same for client and replay.

It refuses nothing: what it does not know becomes a chunk of kind "other", so that a
reader can see it. Nothing is lost or changed: the frames and `rest` joined are the
bytes that came in, under every split of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol

from labkit.dialects.anthropic import AnthropicReader
from labkit.dialects.events import Meaning
from labkit.dialects.openai import OpenAIReader
from labkit.dialects.values import from_json
from labkit.records import StreamChunk

__all__ = ["ChunkReader", "Dialect", "EventReader", "data_of", "dialect_of", "reader"]

# A line end, kept whole, and another one right after it.
_BLANK_LINE: Final = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_BOM: Final = "\ufeff".encode()
COMMENT: Final = Meaning("comment")


class Dialect(StrEnum):
    """Whose event stream it is."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"


class EventReader(Protocol):
    """A dialect's reader of one stream."""

    def read(self, data: str) -> Meaning:
        """What one event's data says; it never raises."""
        ...


READERS: Final[Mapping[Dialect, Callable[[], EventReader]]] = MappingProxyType(
    {Dialect.OPENAI: OpenAIReader, Dialect.ANTHROPIC: AnthropicReader}
)


def reader(dialect: Dialect) -> EventReader:
    """A new reader for one stream of `dialect`."""
    return READERS[dialect]()


def dialect_of(data: Iterable[str]) -> Dialect:
    """The dialect that events speak: Anthropic's carry their own type, each."""
    for value in map(from_json, data):
        if value is not None:
            is_typed = isinstance(value.get("type"), str)
            return Dialect.ANTHROPIC if is_typed else Dialect.OPENAI
    return Dialect.OPENAI


def data_of(frame: bytes) -> str | None:
    """The data of the event in `frame`, as SSE asks; None where there is none."""
    if frame.startswith(b"data: ") and frame.find(b"\n") == len(frame) - 2:
        text = frame[6:-2].decode("utf-8", "replace")
        if "\r" not in text:
            return text
    lines = _LINE_END.split(frame.decode("utf-8", "replace"))
    fields = [line.partition(":") for line in lines]
    found = [value.removeprefix(" ") for name, _, value in fields if name == "data"]
    return "\n".join(found) if found else None


class ChunkReader:
    """Push parser: `feed(piece, time_s) -> list[StreamChunk]`, `flush()`.

    A frame is read as soon as its blank line is in. A CR LF that arrives in two halves
    leaves its LF at the start of the next frame.
    """

    def __init__(self, dialect: Dialect = Dialect.OPENAI) -> None:
        self.rest = b""  # bytes of the frame that is not complete yet
        self.frames: list[bytes] = []  # as received
        self.error: str | None = None  # the last failure that the stream told
        self._reader = reader(dialect)
        self._is_after_cr = False  # the frame before ended with the last byte, a CR

    def feed(self, piece: bytes, time_s: float = 0.0) -> list[StreamChunk]:
        """The chunks that `piece` completes, stamped `time_s`."""
        held, start = self.rest + piece, 0
        found: list[StreamChunk] = []
        # Half a line end at the very start is no blank line: it is looked past.
        skip = self._is_after_cr and held.startswith(b"\n")
        while match := _BLANK_LINE.search(held, start + skip):
            frame, start = held[start : match.end()], match.end()
            found.append(self._chunk(frame, time_s))
            self._is_after_cr = frame.endswith(b"\r")
            skip = self._is_after_cr and held.startswith(b"\n", start)
        self.rest = held[start:]
        return found

    def flush(self) -> list[StreamChunk]:
        """End of the stream: a frame without its blank line is dropped, as SSE asks."""
        return []

    def _chunk(self, frame: bytes, time_s: float) -> StreamChunk:
        index = len(self.frames)
        self.frames.append(frame)
        data = data_of(frame if index else frame.removeprefix(_BOM))
        said = COMMENT if data is None else self._reader.read(data)
        self.error = said.error or self.error
        return StreamChunk(
            index=index,
            time_s=time_s,
            kind=said.kind,
            raw=frame.decode("utf-8", "replace"),
            text=said.text,
            finish=said.finish,
            usage=said.usage,
        )
