"""The answers of chapter 8: values are the sums, and functions pass their cases."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from labkit.book.answers import exercise
from labkit.book.exercises import State
from labkit.book.grading import grade
from labkit.engine.policy import DecodeFirst, PrefillFirst, Turn


def chunk(promise_ms: float, read_ms: float, token_ms: float, streams: int) -> int:
    fits = promise_ms >= read_ms
    return max(0, int(promise_ms / token_ms) - streams) if fits else 0


SUMS: dict[str, float] = {"8.1": 295, "8.2": 3.35, "8.3": 50 / 0.5 - 4}
SOLUTIONS = {
    "8.1": lambda flop, rate: round(flop / rate),
    "8.2": lambda n, size, rate: round(1000 * n * size / rate, 2),
    "8.3": chunk,
}


@pytest.mark.parametrize("name", list(SUMS))
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


@pytest.mark.parametrize(
    ("name", "answer", "hint"),
    [
        ("8.1", 591, "half of the weights zero"),
        ("8.1", 0.0034, "bytes for each operation"),
        ("8.2", 0.0, "milliseconds"),
        ("8.2", 298.9, "tokens a second"),
        ("8.3", 100, "The four streams take a token each"),
        ("8.3", 92, "do not add up"),
        ("8.3", -4, "below 0 tokens"),
    ],
)
def test_a_usual_mistake_gets_its_own_hint(name: str, answer: Any, hint: str) -> None:
    found = grade(exercise(name), answer)
    assert found.state is State.WRONG
    assert hint in found.text


class Unwritten:
    turns = ...


class NewestFirst:
    turns = (Turn.DECODES, Turn.ARRIVALS, Turn.PROMPTS)


class Twice:
    turns = (*NewestFirst.turns, Turn.DECODES)


class Short:
    turns = (Turn.DECODES, Turn.PROMPTS)


def test_a_policy_that_serves_the_short_question_first_keeps_all_requirements() -> None:
    assert grade(exercise("8.4"), NewestFirst).state is State.RIGHT
    assert grade(exercise("8.4"), NewestFirst()).state is State.RIGHT
    assert grade(exercise("8.4"), Unwritten).state is State.OPEN


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (DecodeFirst, "Arrivals have the last turn"),
        (PrefillFirst, "The answers have the last turn"),
        (Twice, "name each turn once"),
        (Short, "Turn.ARRIVALS is missing"),
        (3, "3 has no `turns`"),
    ],
)
def test_another_policy_is_told_what_it_misses(answer: Any, told: str) -> None:
    found = grade(exercise("8.4"), answer)
    assert found.state is State.WRONG
    assert told in found.text


def test_the_answers_are_read_without_torch() -> None:
    code = "import sys, labkit.book.answers; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
