"""The answers of chapter 10: values are the sums, and functions pass their cases."""

from __future__ import annotations

import pytest

from labkit.book.answers import ch10, exercise
from labkit.book.exercises import State
from labkit.book.grading import grade
from labkit.text.detokenizer import StreamDetokenizer


def end_to_end(ttft_s: float, tokens: int, tpot_s: float) -> float:
    return ttft_s + tpot_s * (tokens - 1)


def events(pieces: list[bytes]) -> int:
    detokenizer = StreamDetokenizer(pieces.__getitem__)
    return sum(bool(detokenizer.feed(i)) for i in range(len(pieces)))


SUMS: dict[str, float] = {
    "10.1": 0.8 + 0.02 * (101 - 1),
    "10.2": 85 - 46,
    "10.3": 200 * 201 / 2,
}
SOLUTIONS = {"10.1": end_to_end, "10.2": events, "10.3": lambda n: n * (n + 1) // 2}


@pytest.mark.parametrize("name", [one.name for one in ch10.EXERCISES])
def test_values_are_the_sums_and_functions_pass_their_cases(name: str) -> None:
    assert grade(exercise(name), SUMS[name]).state is State.RIGHT
    assert grade(exercise(name), SOLUTIONS[name]).state is State.RIGHT
