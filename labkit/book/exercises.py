"""Exercises that the machine checks: a value, or a function tried on cases.

A wrong or failing answer gets a sentence and a hint, never a traceback; an answer of
`...` or None is open, not wrong. The right answers are in `answers.py`, by chapter.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["Case", "Exercise", "Grade", "State", "grade"]


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
class Exercise:
    """One exercise: the right value, and cases for an answer that is a function."""

    name: str  # such as "10.1"
    task: str
    value: float
    unit: str
    hint: str
    cases: tuple[Case, ...]
    tolerance: float = 0.0  # how far an answer that was not rounded may be off


@dataclass(frozen=True, slots=True)
class Grade:
    """The verdict on one answer."""

    state: State
    text: str

    def __str__(self) -> str:
        return f"{self.state} {self.text}"


def grade(exercise: Exercise, answer: object) -> Grade:
    """Check `answer`, whatever it is."""
    if answer is None or answer is ...:
        return Grade(State.OPEN, f"{exercise.name} is open: {exercise.task}")
    if callable(answer):
        return _grade_function(exercise, answer)
    if _same(answer, exercise.value, exercise.tolerance):
        right = f"{exercise.value:,g} {exercise.unit}"
        return Grade(State.RIGHT, f"{exercise.name}: {right} is right.")
    return _wrong(exercise, f"{_short(answer)} is not right")


def _grade_function(exercise: Exercise, function: Callable[..., object]) -> Grade:
    name = getattr(function, "__name__", "your function")
    for case in exercise.cases:
        call = f"{name}({', '.join(map(_short, case.args))})"
        try:
            found = function(*case.args)
        except Exception as error:  # whatever a reader's code may raise
            return _wrong(exercise, f"{call} raised {type(error).__name__}: {error}")
        if found is None or found is ...:
            return Grade(State.OPEN, f"{exercise.name} is open: {call} returns nothing")
        if not _same(found, case.want, exercise.tolerance):
            gave = f"{call} gave {_short(found)}, expected {case.want:,g}"
            return _wrong(exercise, gave)
    count = len(exercise.cases)
    return Grade(State.RIGHT, f"{exercise.name}: {name} is right on {count} cases.")


def _wrong(exercise: Exercise, what: str) -> Grade:
    return Grade(State.WRONG, f"{exercise.name}: {what}. Hint: {exercise.hint}")


def _same(answer: object, want: float, tolerance: float) -> bool:
    """Numbers count as equal up to what rounding may change."""
    try:
        found = float(answer)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError):
        return False
    return not isinstance(answer, bool | str) and math.isclose(
        found, want, rel_tol=1e-6, abs_tol=tolerance
    )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
