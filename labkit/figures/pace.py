"""The pace of a stream as its reader sees it: time to first text, gaps, jitter.

Gaps are between arrivals of visible text; chunks without text (role, finish, usage,
comments) are counted apart. Percentiles are nearest-rank, so each is a measured gap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from labkit.figures.drawings import Chip, Pin, StreamDrawing
from labkit.records import StreamChunk

__all__ = ["Pace", "longest_gaps", "pace", "percentile", "stream_drawing"]


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in milliseconds; None where the stream had too little for it."""

    num_chunks: int  # of every kind
    num_texts: int  # chunks that brought visible text
    first_chunk_ms: float | None
    first_text_ms: float | None
    gap_p50_ms: float | None
    gap_p99_ms: float | None

    @property
    def jitter_ms(self) -> float | None:
        """How far the worst gaps are from the usual one: p99 - p50."""
        if self.gap_p50_ms is None or self.gap_p99_ms is None:
            return None
        return self.gap_p99_ms - self.gap_p50_ms


def pace(chunks: Sequence[StreamChunk]) -> Pace:
    """The pace of a recorded stream."""
    texts = [chunk.time_s * 1000 for chunk in chunks if chunk.text]
    gaps = [after - before for before, after in pairwise(texts)]
    return Pace(
        num_chunks=len(chunks),
        num_texts=len(texts),
        first_chunk_ms=chunks[0].time_s * 1000 if chunks else None,
        first_text_ms=texts[0] if texts else None,
        gap_p50_ms=percentile(gaps, 50) if gaps else None,
        gap_p99_ms=percentile(gaps, 99) if gaps else None,
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of `values` do not exceed."""
    assert values, "a percentile of nothing"
    rank = math.ceil(len(values) * percent / 100)
    return sorted(values)[max(rank, 1) - 1]


def longest_gaps(
    streams: Sequence[Sequence[float]],
) -> tuple[tuple[float, float] | None, ...]:
    """Each stream's first gap as long as the longest of all, its two ends; or None."""
    worst = max((b - a for times in streams for a, b in pairwise(times)), default=0.0)
    least = worst * 0.999  # gaps of one step differ by rounding
    return tuple(
        next(((a, b) for a, b in pairwise(times) if b - a >= least), None)
        for times in streams
    )


def stream_drawing(chunks: Sequence[StreamChunk], status: str) -> StreamDrawing:
    """The stream as chips over their stamps, with its pace in figures and words."""
    found = pace(chunks)
    facts = (
        ("first chunk", _ms(found.first_chunk_ms)),
        ("first text", _ms(found.first_text_ms)),
        ("gap p50", _ms(found.gap_p50_ms)),
        ("gap p99", _ms(found.gap_p99_ms)),
        ("jitter p99 − p50", _ms(found.jitter_ms)),
        ("text chunks", f"{found.num_texts} of {found.num_chunks}"),
    )
    text = "".join(chunk.text for chunk in chunks)
    words = ", ".join(f"{name} {value}" for name, value in facts)
    pins = [("first chunk", found.first_chunk_ms), ("first text", found.first_text_ms)]
    return StreamDrawing(
        title=_title(found, status),
        alt=f"Text: {text!r}. {words}." if chunks else "No chunk has arrived.",
        chips=tuple(Chip(c.text, c.time_s * 1000) for c in chunks if c.text),
        pins=tuple(Pin(name, ms) for name, ms in pins if ms is not None),
        facts=facts,
    )


def _title(found: Pace, status: str) -> str:
    if found.first_text_ms is None:
        return f"A stream, {status}: no text yet"
    pieces = "piece" if found.num_texts == 1 else "pieces"
    first = _ms(found.first_text_ms)
    return f"{found.num_texts} {pieces} of text, the first after {first}"


def _ms(value: float | None) -> str:
    return "\u2013" if value is None else f"{value:,.1f} ms"
