"""How much of a text is said again, in runs of tokens; two shares between 0 and 1."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["distinct", "repeated"]


def repeated(ids: Sequence[int], n: int = 4) -> float:
    """Share of the n-grams that stood before in the same text."""
    grams = _grams(ids, n)
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def distinct(texts: Iterable[Sequence[int]], n: int = 2) -> float:
    """Different n-grams over all n-grams of several texts together ("distinct-n")."""
    grams = [gram for ids in texts for gram in _grams(ids, n)]
    return len(set(grams)) / len(grams) if grams else 0.0


def _grams(ids: Sequence[int], n: int) -> list[tuple[int, ...]]:
    return [tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)]
