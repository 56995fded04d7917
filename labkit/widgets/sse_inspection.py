"""One recording sent through an unkind network: pieces, frames, events, two readings.

Pure: a recording, faults and a relay in, one frozen value out. Everything the page
shows of it is made here, so the page only draws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import Any

from labkit.dialects.events import Meaning
from labkit.dialects.readers import dialect_of, reader
from labkit.figures.drawings import Table
from labkit.records import Faults
from labkit.widgets.sse_reading import Block, Reading, blocks, naive_data, reading
from labkit.widgets.sse_words import counted, fault_words, usage_words

__all__ = ["Inspection", "Piece", "Relay", "inspect", "table", "to_page"]

Relay = Callable[[Sequence[bytes], Faults], list[tuple[float, bytes]]]
MAX_SHOWN = 300  # rows of a column on the page
MAX_ROWS = 9  # rows of the still
MIN_COMMON = 30  # characters that frames have in common before they are left out


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

    @property
    def is_cut_off(self) -> bool:
        """Whether the connection was lost before everything had arrived."""
        return self.faults.drop_at is not None and self.faults.drop_at < self.num_sent

    @property
    def agrees(self) -> bool:
        """Whether the naive reader understood what the real one did."""
        return self.real == self.naive


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
    same = common(found.blocks)
    rows = [
        (_pieces_of(block, found.pieces), _short(_brief(block.raw, same)), said)
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
    pieces, frames = len(found.pieces), len(found.blocks)
    head = f"{found.name}: {counted(pieces, 'piece')}, {counted(frames, 'frame')}"
    if found.agrees:
        return f"{head}; both readers agree"
    naive, real = found.naive.num_read, found.real.num_read
    return f"{head}; the naive reader understands {naive} of {real} events"


def _alt(found: Inspection) -> str:
    real, naive = found.real, found.naive
    usage = usage_words(real.usage)
    text = counted(len(real.text), "character")
    lost = counted(naive.num_lost, "piece")
    other = f"understands {counted(naive.num_read, 'event')} and cannot read {lost}"
    return (
        f"{fault_words(found.faults)}. {_arrived(found)}. The real parser has {text} "
        f"of text and the usage {usage}. The naive parser "
        f"{'has the same' if found.agrees else other}."
    )


def _arrived(found: Inspection) -> str:
    """What came of the bytes; only a lost connection cuts a stream off."""
    received, sent = f"{found.num_received:,}", f"{found.num_sent:,}"
    if found.is_cut_off:
        return f"The connection was lost after {received} of {sent} bytes"
    if found.real.is_complete:
        return f"All {received} bytes arrived, the stream's end among them"
    return f"All {received} bytes arrived; this recording has no event for the end"


def _end_words(found: Inspection, state: Reading) -> str:
    if state.is_complete:
        return "seen"
    if found.is_cut_off:
        return "lost with the connection"
    return "overlooked" if found.real.is_complete else "not in the recording"


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


def common(found: Sequence[Block]) -> str:
    """How the frames of the answer's text begin, up to what differs; "" where short.

    Every frame of a dialect repeats the same fields. Left out, the delta can be seen.
    """
    middle = found[len(found) // 4 : max(len(found) * 3 // 4, len(found) // 4 + 2)]
    texts = sorted(block.raw for block in middle if block.event is not None)
    first, last = (texts[0], texts[-1]) if texts else ("", "")
    same = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    start = "".join(character for character, _ in same)
    start = start[: start.rfind("{") + 1]
    return start if len(start) >= MIN_COMMON else ""


def _brief(text: str, same: str) -> str:
    return text.replace(same, "…") if same else text


def to_page(found: Inspection) -> dict[str, Any]:
    """Plain JSON for the page: three columns with byte ranges, two readings."""
    shown = found.blocks[:MAX_SHOWN]
    same = common(found.blocks)
    return {
        "title": _title(found),
        "alt": _alt(found),
        "received": found.num_received,
        "sent": found.num_sent,
        "num_pieces": len(found.pieces),
        "pieces": [_piece(piece, same) for piece in found.pieces[:MAX_SHOWN]],
        "blocks": [
            _block(block, words, same)
            for block, words in zip(shown, _all_words(shown), strict=True)
        ],
        "real": _reading(found.real, _end_words(found, found.real)),
        "naive": _reading(found.naive, _end_words(found, found.naive)),
    }


def _piece(piece: Piece, same: str) -> dict[str, Any]:
    """A piece; bytes that are no whole character are written in hex."""
    words = piece.data.decode("utf-8", "backslashreplace")
    is_cut = piece.data.decode("utf-8", "replace") != piece.data.decode(
        "utf-8", "ignore"
    )
    return {
        "ms": piece.time_ms,
        "start": piece.start,
        "end": piece.end,
        "text": _one_line(words),
        "brief": _one_line(_brief(words, same)),
        "is_cut": is_cut,
    }


def _one_line(text: str) -> str:
    return text.replace("\n", "\u23ce")


def _block(block: Block, words: str, same: str) -> dict[str, Any]:
    return {
        "start": block.start,
        "end": block.end,
        "text": block.raw.rstrip("\n"),
        "brief": _one_line(_brief(block.raw.rstrip("\n"), same)),
        "event": words,
        "has_event": block.event is not None,
    }


def _reading(state: Reading, end: str) -> dict[str, Any]:
    return {
        "text": state.text,
        "usage": usage_words(state.usage),
        "end": end,
        "read": state.num_read,
        "lost": state.num_lost,
    }
