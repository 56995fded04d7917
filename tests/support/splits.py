"""Ways to cut an input into pieces, for the tests of push parsers.

Every parser must give the same result for each of them as for the whole input.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TypeVar

__all__ = ["cut_at", "every_split"]

S = TypeVar("S", bytes, str)


def every_split(data: S) -> Iterator[list[S]]:
    """The whole, unit by unit, with an empty piece, and every cut into two pieces."""
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    yield [data[:0], data, data[:0]]
    yield from ([data[:i], data[i:]] for i in range(1, len(data)))


def cut_at(data: S, cuts: Sequence[int]) -> list[S]:
    """`data` cut at the places given, in any order; out of range is no cut."""
    edges = [0, *sorted(cut for cut in cuts if 0 < cut < len(data)), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]
