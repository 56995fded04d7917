"""One recording sent through an unkind network: pieces, frames, events, two readings.

Pure: a recording, faults and a relay in, one frozen value out. Everything the page
shows of it is made here, so the page only draws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from itertools import accumulate
from typing import Any

from labkit.dialects.events import Meaning
from labkit.dialects.readers import dialect_of, reader
from labkit.figures.drawings import Table
from labkit.records import Faults, Usage
from labkit.widgets.sse_reading import Block, Reading, blocks, naive_data, reading

__all__ = ["Inspection", "Piece", "Relay", "inspect", "table", "to_page"]

Relay = Callable[[Sequence[bytes], Faults], list[tuple[float, bytes]]]
MAX_SHOWN = 300  # rows of a column on the page
MAX_ROWS = 9  # rows of the still


@dataclass(frozen=True, slots=True)
class Piece:
    """What one read from the socket gave."""

    time_ms: float
    start: int  # place of its first byte in all that was received
    data: bytes

    @property
    def end(self) -> int:
        """Place after its last byte."""
        return self.start + len(self.data)


@dataclass(frozen=True, slots=True)
class Inspection:
    """All that came of one recording under some faults."""

    name: str
    faults: Faults
    num_sent: int  # bytes
    pieces: tuple[Piece, ...]
    blocks: tuple[Block, ...]
    real: Reading
    naive: Reading

    @property
    def num_received(self) -> int:
        """Bytes that arrived."""
        return sum(len(piece.data) for piece in self.pieces)


def inspect(
    name: str, frames: Sequence[bytes], faults: Faults, relay: Relay
) -> Inspection:
    """Send `frames` through `relay` and read what arrives, twice."""
    sent = relay(frames, faults)
    times = accumulate(delay_s for delay_s, _ in sent)
    starts = accumulate((len(data) for _, data in sent), initial=0)
    pieces = tuple(
        Piece(round(time_s * 1000, 3), start, data)
        for time_s, start, (_, data) in zip(times, starts, sent, strict=False)
    )
    found = tuple(blocks(b"".join(data for _, data in sent)))
    return Inspection(
        name=name,
        faults=faults,
        num_sent=sum(map(len, frames)),
        pieces=pieces,
        blocks=found,
        real=reading([b.event.data for b in found if b.event is not None]),
        naive=reading(naive_data(data for _, data in sent)),
    )


def table(found: Inspection) -> Table:
    """The still: where each frame came from, what it said, and the verdict."""
    words = _all_words(found.blocks[:MAX_ROWS])
    rows = [
        (_pieces_of(block, found.pieces), _short(block.raw), said)
        for block, said in zip(found.blocks, words, strict=False)
    ]
    more = len(found.blocks) - len(rows)
    if more:
        rows.append(("", f"and {more} more", ""))
    return Table(_title(found), _alt(found), ("pieces", "frame", "event"), tuple(rows))


def _pieces_of(block: Block, pieces: Sequence[Piece]) -> str:
    """The pieces that hold the block, as `3` or `3 to 7`, counted from 1."""
    found = [
        i
        for i, piece in enumerate(pieces, 1)
        if piece.start < block.end and block.start < piece.end
    ]
    return f"{found[0]} to {found[-1]}" if len(found) > 1 else f"{found[0]}"


def _title(found: Inspection) -> str:
    head = f"{found.name}: {len(found.pieces)} pieces, {len(found.blocks)} frames"
    real, naive = found.real, found.naive
    if real.text == naive.text and real.usage == naive.usage:
        return f"{head}; both readers agree"
    return f"{head}; the naive reader gets {naive.num_read} of {real.num_read} events"


def _alt(found: Inspection) -> str:
    real, naive = found.real, found.naive
    end = "its end was seen" if real.is_complete else "it was cut off"
    return (
        f"{found.num_received:,} of {found.num_sent:,} bytes arrived; {end}. "
        f"Real parser: {real.text!r}, usage {usage_words(real.usage)}. "
        f"Naive parser: {naive.text!r}, usage {usage_words(naive.usage)}. "
        f"Faults: {fault_words(found.faults)}."
    )


def usage_words(usage: Usage | None) -> str:
    """`34 + 10 tokens`, or `unknown`."""
    if usage is None:
        return "unknown"
    return f"{usage.prompt_tokens} + {usage.completion_tokens} tokens"


def fault_words(faults: Faults) -> str:
    """The faults that are switched on."""
    changed = [
        f"{field.name}={getattr(faults, field.name)}"
        for field in fields(faults)
        if getattr(faults, field.name) != field.default
    ]
    return ", ".join(changed) or "none"


def _all_words(found: Sequence[Block]) -> list[str]:
    """What each block says; counts that were told earlier are remembered."""
    events = [block.event for block in found if block.event is not None]
    understood = reader(dialect_of(event.data for event in events))
    words = []
    for block in found:
        if block.event is None:
            is_comment = block.raw.startswith(":")
            words.append("none: a comment" if is_comment else "none: unfinished")
        else:
            said = understood.read(block.event.data)
            words.append(_words(said, block.event.event))
    return words


def _words(said: Meaning, event: str) -> str:
    if said.text:
        return f"text {_short(said.text, 16)!r}"
    if said.usage is not None:
        return f"usage {usage_words(said.usage)}"
    if said.kind == "done":
        return "end"
    if event != "message":
        return event
    return {"finish": f"finish {said.finish}", "other": "data"}.get(
        said.kind, said.kind
    )


def _short(text: str, limit: int = 58) -> str:
    flat = text.rstrip("\n").replace("\n", "\u23ce")
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def to_page(found: Inspection) -> dict[str, Any]:
    """Plain JSON for the page: three columns with byte ranges, two readings."""
    shown = found.blocks[:MAX_SHOWN]
    return {
        "title": _title(found),
        "alt": _alt(found),
        "received": found.num_received,
        "sent": found.num_sent,
        "num_pieces": len(found.pieces),
        "pieces": [_piece(piece) for piece in found.pieces[:MAX_SHOWN]],
        "blocks": [
            _block(block, words)
            for block, words in zip(shown, _all_words(shown), strict=True)
        ],
        "real": _reading(found.real),
        "naive": _reading(found.naive),
    }


def _piece(piece: Piece) -> dict[str, Any]:
    """A piece; bytes that are no whole character are written in hex."""
    words = piece.data.decode("utf-8", "backslashreplace").replace("\n", "\u23ce")
    is_cut = piece.data.decode("utf-8", "replace") != piece.data.decode(
        "utf-8", "ignore"
    )
    return {
        "ms": piece.time_ms,
        "start": piece.start,
        "end": piece.end,
        "text": words,
        "is_cut": is_cut,
    }


def _block(block: Block, words: str) -> dict[str, Any]:
    return {
        "start": block.start,
        "end": block.end,
        "text": block.raw.rstrip("\n"),
        "event": words,
        "has_event": block.event is not None,
    }


def _reading(state: Reading) -> dict[str, Any]:
    return {
        "text": state.text,
        "usage": usage_words(state.usage),
        "is_complete": state.is_complete,
        "read": state.num_read,
        "lost": state.num_lost,
    }
