"""What wire formats share, JSON and event streams: written plainly, read without trust.

What is read comes from somebody else's server: nothing here raises because of it. A
value of another type than expected counts as absent; an event that is not understood
becomes a chunk of kind "other", so that a reader can see it. Nothing is lost or
changed: a stream's frames and `rest` joined are the bytes that came in, under every
split of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn, Protocol

from labkit.dialects.events import Meaning
from labkit.records import StreamChunk

__all__ = [
    "ChunkReader",
    "EventReader",
    "count_of",
    "data_of",
    "from_json",
    "mapping_of",
    "quoted",
    "text_of",
    "to_json",
    "to_json_by_item",
]

MAX_COUNT: Final = 2**53 - 1  # the largest whole number that JavaScript holds exactly
# A line end, kept whole, and another one right after it.
_BLANK_LINE: Final = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_BOM: Final = "\ufeff".encode()
_COMMENT: Final = Meaning("comment")

quoted = json.encoder.encode_basestring_ascii  # one string as a JSON literal


def to_json(data: object) -> str:
    """Compact ASCII JSON; refuses NaN and Infinity."""
    return json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def to_json_by_item(data: object, depth: int = 2) -> str:
    """The same text, made in many short calls: one for each value `depth` levels down.

    One long call would keep every other thread waiting, an event loop's too.
    """
    if depth and isinstance(data, dict):
        fields = (
            f"{quoted(k)}:{to_json_by_item(v, depth - 1)}" for k, v in data.items()
        )
        return "{" + ",".join(fields) + "}"
    if depth and isinstance(data, list):
        return "[" + ",".join([to_json_by_item(v, depth - 1) for v in data]) + "]"
    return to_json(data)


def from_json(text: str) -> dict[str, Any] | None:
    """The JSON object in `text`; None where it is no JSON or no object."""
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def mapping_of(value: object) -> Mapping[str, Any]:
    """`value` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text_of(value: object) -> str | None:
    """A string that can be written as UTF-8: half a surrogate pair becomes U+FFFD."""
    if not isinstance(value, str) or value.isascii():
        return value if isinstance(value, str) else None
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def count_of(value: object) -> int | None:
    """A number of tokens; None where `value` is no whole number from 0 up."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    is_count = 0 <= value <= MAX_COUNT and value == int(value)
    return int(value) if is_count else None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse)


class EventReader(Protocol):
    """A dialect's reader of one stream."""

    def read(self, data: str) -> Meaning:
        """What one event's data says; it never raises."""
        ...


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

    def __init__(self, reader: EventReader) -> None:
        self.rest = b""  # bytes of the frame that is not complete yet
        self.frames: list[bytes] = []  # as received
        self.error: str | None = None  # the last failure that the stream told
        self._reader = reader
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
        said = _COMMENT if data is None else self._reader.read(data)
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
