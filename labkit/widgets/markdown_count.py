"""Counts how many characters each strategy of `labkit.text.markdown` parses.

Counts, not times: the same text and chunk size give the same numbers everywhere.
"""

from __future__ import annotations

from itertools import accumulate

from labkit.figures.race import Lane, Race
from labkit.text.markdown import MarkdownStream, Strategy

__all__ = ["MAX_POINTS", "NAMES", "count_race", "points"]

MAX_POINTS = 60  # of a line; more would not be seen
NAMES = {
    Strategy.FULL: "full re-parse",
    Strategy.MEMO: "block memo",
}


def points(num_chunks: int) -> list[int]:
    """Numbers of chunks, evenly spread, at which totals are kept; the last is one."""
    count = min(num_chunks, MAX_POINTS)
    return [round((i + 1) * num_chunks / count) for i in range(count)]


def count_race(text: str, chunk_chars: int) -> Race:
    """Feed `text` in equal chunks to every strategy."""
    pieces = [text[i : i + chunk_chars] for i in range(0, len(text), chunk_chars)]
    kept = points(len(pieces))
    return Race(
        chunk_chars=chunk_chars,
        num_chunks=len(pieces),
        seen=tuple(min(n * chunk_chars, len(text)) for n in kept),
        lanes=tuple(_lane(strategy, pieces, set(kept)) for strategy in NAMES),
    )


def _lane(strategy: Strategy, pieces: list[str], kept: set[int]) -> Lane:
    if strategy is Strategy.FULL:  # parses all there is: a sum, no need to run it
        lengths = accumulate(accumulate(map(len, pieces)))
        sums = tuple(n for i, n in enumerate(lengths, 1) if i in kept)
        return Lane(NAMES[strategy], ms=(), nodes=(), parsed=sums)
    stream = MarkdownStream(strategy)
    parsed: list[int] = []
    for count, piece in enumerate(pieces, 1):
        stream.feed(piece)
        if count in kept:
            parsed.append(stream.work.num_chars_parsed)
    return Lane(NAMES[strategy], ms=(), nodes=(), parsed=tuple(parsed))
