"""The answers of chapter 8: values are the sums, and functions pass their cases."""

from __future__ import annotations

import pytest

from labkit.book.answers import ch08, exercise
from labkit.book.exercises import State
from labkit.book.grading import grade


def chunk(promise_ms: float, read_ms: float, token_ms: float, streams: int) -> int:
    fits = promise_ms >= read_ms
    return max(0, int(promise_ms / token_ms) - streams) if fits else 0


SUMS: dict[str, float] = {"8.1": 295, "8.2": 3.35, "8.3": 50 / 0.5 - 4}
SOLUTIONS = {
    "8.1": lambda flop, rate: round(flop / rate),
    "8.2": lambda n, size, rate: round(1000 * n * size / rate, 2),
    "8.3": chunk,
}


@pytest.mark.parametrize("name", [one.name for one in ch08.EXERCISES])
def test_values_are_the_sums_and_functions_pass_their_cases(name: str) -> None:
    assert grade(exercise(name), SUMS[name]).state is State.RIGHT
    assert grade(exercise(name), SOLUTIONS[name]).state is State.RIGHT


def test_milliseconds_may_come_unrounded_and_seconds_may_not() -> None:
    assert grade(exercise("8.2"), lambda n, b, w: 1000 * n * b / w).state is State.RIGHT
    assert grade(exercise("8.2"), lambda n, b, w: n * b / w).state is State.WRONG


def test_cutting_off_is_not_rounding() -> None:
    text = grade(exercise("8.1"), lambda flop, rate: flop // rate).text
    assert "gave 138.0, expected 139: is off by one in the last place" in text
    text = grade(exercise("8.1"), lambda flop, rate: flop / rate).text
    assert "is right before rounding: round it to a whole number." in text
