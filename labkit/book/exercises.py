"""Exercises that the machine checks: a value, a function, or a change of the engine.

A wrong or failing answer gets a sentence, never a traceback; an answer of `...` or None
is open, not wrong. A mistake that is recognised gets its own hint; the general hint is
for those who ask (`lab.hint`). The right answers are in `answers`, a file a chapter.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = [
    "AnyExercise",
    "Case",
    "Exercise",
    "Grade",
    "Mistake",
    "OpenExercise",
    "Requirement",
    "State",
]


class State(StrEnum):
    """How an answer did; the value is the sign in front of it."""

    RIGHT = "✓"
    WRONG = "✗"
    OPEN = "…"


@dataclass(frozen=True, slots=True)
class Case:
    """Arguments for the reader's function and what it has to return."""

    args: tuple[Any, ...]
    want: float


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake that can be recognised, and the hint that answers it.

    `when` is the wrong value, or a test of the answer: `lambda answer: answer < 0`. In
    an `Exercise`, an answer that is a function is judged by the first value that it
    gets wrong, and a wrong value then means "wrong by the same factor".
    """

    when: float | Callable[[Any], bool]
    hint: str

    def is_made(self, found: Any, want: float | None = None, value: float = 1) -> bool:
        """Whether `found` is this mistake, where `want` is the right value of `value`.

        `value` is the right answer of the exercise, `want` that of the case at hand.
        """
        scale = 1.0 if want is None or not value else want / value
        try:
            if callable(self.when):
                return bool(self.when(found))
            return math.isclose(found, self.when * scale, rel_tol=1e-6)
        except Exception:  # what cannot read the answer recognises nothing
            return False


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise: the right value, and cases for an answer that is a function."""

    name: str  # such as "10.1"
    task: str
    value: float
    unit: str
    hint: str
    cases: tuple[Case, ...]
    tolerance: float = 0.0  # how far an answer that was not rounded may be off
    places: int | None = None  # decimal places it is rounded to, to the nearest
    mistakes: tuple[Mistake, ...] = ()


@dataclass(frozen=True, slots=True)
class Requirement:
    """What an answer to an open exercise has to keep: a sentence and its test.

    `test(answer)` returns, or raises `AssertionError` with a sentence that says what
    was seen.
    """

    text: str
    test: Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class OpenExercise:
    """An exercise that changes the engine: a function or class, and what it must keep.

    Its requirements are tried in order, all of them; `mistakes` are tests of the
    answer itself.
    """

    name: str
    task: str
    requirements: tuple[Requirement, ...]
    hint: str = ""
    mistakes: tuple[Mistake, ...] = ()


AnyExercise = Exercise | OpenExercise


@dataclass(frozen=True, slots=True)
class Grade:
    """The verdict on one answer."""

    state: State
    text: str

    def __str__(self) -> str:
        return f"{self.state} {self.text}"
