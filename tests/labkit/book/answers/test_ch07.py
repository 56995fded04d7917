"""The answers of chapter 7: values are the sums, and functions pass their cases."""

from __future__ import annotations

import pytest

from labkit.book.answers import ch07, exercise
from labkit.book.exercises import State
from labkit.book.grading import grade


def whole_steps(shared: int, step: int, minimum: int) -> int:
    return shared - shared % step if shared >= minimum else 0


SUMS: dict[str, float] = {"7.1": 2 * 28 * 4 * 128, "7.2": 21 * 32, "7.3": 103}
SOLUTIONS = {
    "7.1": lambda layers, heads, dim, size: 2 * layers * heads * dim * size,
    "7.2": whole_steps,
    "7.3": lambda memory, weights, token, n: int((0.9 * memory - weights) / token / n),
}


@pytest.mark.parametrize("name", SUMS)
def test_values_are_the_sums_and_functions_pass_their_cases(name: str) -> None:
    assert grade(exercise(name), SUMS[name]).state is State.RIGHT
    assert grade(exercise(name), SOLUTIONS[name]).state is State.RIGHT


def test_every_sum_and_the_open_exercise_is_there() -> None:
    assert [one.name for one in ch07.EXERCISES] == [*SUMS, "7.4"]


def test_sixteen_bits_for_eight_are_recognised() -> None:
    assert "here a number has 8" in grade(exercise("7.1"), 57_344).text


def test_a_part_of_a_sequence_is_not_right() -> None:
    result = grade(exercise("7.3"), lambda m, w, token, n: (0.9 * m - w) / token / n)
    assert result.state is State.WRONG
