"""Server-sent events: `encode()` writes frames, `SSEParser` reads them back.

The parser follows the WHATWG algorithm (HTML 9.2.5 and 9.2.6) and never fails: what it
does not know it ignores. The writer refuses what the format cannot carry. Invariants:
an event is out as soon as its last byte is in, and `parse(encode(e)) == e`, both under
every split of the bytes.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Final

from labkit.errors import InputError

__all__ = ["SSEEvent", "SSEParser", "comment", "encode"]

# Only these three end a line; U+2028 and form feed, for example, are data.
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_MAX_RETRY_DIGITS: Final = 15  # milliseconds; more is 30,000 years, surely a mistake
_BOM: Final = "\ufeff"


@dataclass(frozen=True, slots=True)
class SSEEvent:
    """One dispatched event. `id` is the stream's last event id at that moment."""

    event: str = "message"
    data: str = ""
    id: str = ""
    retry: int | None = None  # milliseconds, where this very block set it


class SSEParser:
    """Bytes of one response body to events.

    `last_event_id` and `retry_ms` are what a client needs to reconnect: it makes a new
    parser for the new body and passes the id on.
    """

    def __init__(self, last_event_id: str = "") -> None:
        self.last_event_id = last_event_id
        self.retry_ms: int | None = None  # None: the stream never said
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._is_at_start = True  # a byte order mark may come
        self._is_after_cr = False  # a line feed that comes next belongs to the CR
        self._line: list[str] = []  # pieces of the unfinished line
        self._id = last_event_id
        self._data: list[str] = []  # of the block that is being read, as the next two
        self._event = ""
        self._retry: int | None = None

    def feed(self, chunk: bytes) -> list[SSEEvent]:
        """The events that `chunk` completes."""
        text = self._begin(self._decoder.decode(chunk))
        *ended, rest = _LINE_END.split(text)
        events: list[SSEEvent] = []
        for piece in ended:
            self._line.append(piece)
            line = "".join(self._line)
            self._line.clear()
            events.extend(self._take_line(line))
        self._line.append(rest)
        return events

    def flush(self) -> list[SSEEvent]:
        """End of the body: an unfinished block is dropped, so there is no event."""
        self._decoder.reset()
        self._line.clear()
        self._clear_block()
        return []

    def _begin(self, text: str) -> str:
        """`text` without a leading BOM and without the second half of a CR LF."""
        if not text:
            return text
        if self._is_at_start:
            text = text.removeprefix(_BOM)
            self._is_at_start = False
        if self._is_after_cr:
            text = text.removeprefix("\n")
        self._is_after_cr = text.endswith("\r")
        return text

    def _take_line(self, line: str) -> list[SSEEvent]:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")  # a comment has the name ""
        self._take_field(name, value.removeprefix(" "))
        return []

    def _take_field(self, name: str, value: str) -> None:
        match name:
            case "data":
                self._data.append(value)
            case "event":
                self._event = value
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit():
                self._take_retry(value.lstrip("0") or "0")
            case _:
                pass  # comments and unknown fields

    def _take_retry(self, digits: str) -> None:
        if len(digits) <= _MAX_RETRY_DIGITS:
            self._retry = self.retry_ms = int(digits)

    def _dispatch(self) -> list[SSEEvent]:
        """The event of the block that a blank line just ended, if it has data."""
        self.last_event_id = self._id
        has_data = bool(self._data)
        data, kind = "\n".join(self._data), self._event or "message"
        event = SSEEvent(kind, data, self.last_event_id, self._retry)
        self._clear_block()
        return [event] if has_data else []

    def _clear_block(self) -> None:
        self._data = []
        self._event = ""
        self._retry = None


def encode(
    data: str,
    *,
    event: str | None = None,
    id: str | None = None,
    retry: int | None = None,
) -> bytes:
    """One frame: LF line ends, one `data:` line a line of data, a blank line last."""
    _refuse("data", data, "\r")
    lines: list[str] = []
    if event is not None:
        _refuse("event", event, "\r\n")
        lines.append(f"event: {event}")
    if id is not None:
        _refuse("id", id, "\r\n\0")
        lines.append(f"id: {id}")
    if retry is not None:
        if not 0 <= retry < 10**_MAX_RETRY_DIGITS:
            raise InputError(f"retry={retry}: use milliseconds, 0 or more")
        lines.append(f"retry: {retry}")
    lines += [f"data: {line}" for line in data.split("\n")]
    return _frame(lines)


def comment(text: str) -> bytes:
    """A frame that parsers ignore, which keeps an idle connection open."""
    _refuse("comment", text, "\r")
    return _frame([f": {line}" for line in text.split("\n")])


def _refuse(what: str, text: str, forbidden: str) -> None:
    for char in forbidden:
        if char in text:
            raise InputError(
                f"{what}={text!r}: an event stream cannot carry {char!r} there; "
                "encode it, for example as JSON"
            )


def _frame(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n\n").encode("utf-8")
