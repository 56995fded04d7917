"""Prompts: windows of text that the repository holds, no two of them beginning alike.

The texts do not depend on the code's state: the CC0 licence (public domain), the
project's own 25 test texts in many languages and the recorded answer of chapter 10.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["COPY_TASK", "QUESTIONS", "Prompts", "source_text", "windows"]

ROOT = Path(__file__).resolve().parents[2]
LICENCE = "LICENSE-TEXT"
VECTORS = "tests/support/vectors/greedy_prompts.json"
ANSWER = "chapters/data/10_answer.md"

QUESTIONS = tuple(
    f"Write a long story about {who} who {what}."
    for who in ("a lighthouse keeper", "two sisters", "an old robot", "a young baker")
    for what in (
        "finds a map",
        "cannot sleep",
        "learns to sail",
        "writes a letter",
        "loses a key",
        "meets a fox",
        "moves to the city",
        "hears a strange song",
    )
)

PASSAGE = (
    "Item 17: blue kettle, 4 pieces, shelf B2, ordered on 3 May by Irene Castle. "
    "Item 18: copper lamp, 9 pieces, shelf C7, ordered on 8 May by Tom Ashford. "
    "Item 19: oak stool, 2 pieces, shelf A1, ordered on 11 May by Nadia Brook. "
    "Item 20: glass jar, 30 pieces, shelf D5, ordered on 19 May by Leo Marsh.\n"
)
COPY_TASK = PASSAGE * 3  # the model goes on copying; drafts come from the text itself


def source_text(root: Path = ROOT) -> str:
    """The three texts, one after another."""
    texts = json.loads((root / VECTORS).read_text(encoding="utf-8"))
    licence = (root / LICENCE).read_text(encoding="utf-8")
    answer = (root / ANSWER).read_text(encoding="utf-8")
    return "\n\n".join([*texts, answer, licence])


def windows(ids: Sequence[int], length: int, count: int) -> list[list[int]]:
    """`count` windows of `length` tokens at even distances, first token to last."""
    assert len(ids) >= length, f"{len(ids)} tokens are too few for one of {length}"
    room = len(ids) - length
    places = [i * room // max(1, count - 1) for i in range(count)]
    return [list(ids[place : place + length]) for place in places]


class Prompts:
    """A new prompt at each call, so that no cache can know it."""

    def __init__(self, encode: Callable[[str], list[int]]) -> None:
        self.ids = encode(source_text())
        self._count = 0

    def fresh(self, length: int) -> list[int]:
        """`length` tokens: a number of its own, then text."""
        self._count += 1
        mark = self.ids[(37 * self._count) % len(self.ids)]
        start = (101 * self._count) % len(self.ids)
        turned = [*self.ids[start:], *self.ids[:start]]
        while len(turned) < length:
            turned += turned
        return [(mark + self._count) % 1000 + 300, *turned[: length - 1]]
