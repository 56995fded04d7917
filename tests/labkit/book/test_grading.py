"""Grading: right, wrong with the reason, open and failing; and open exercises."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from labkit.book.answers import EXERCISES, exercise
from labkit.book.exercises import (
    Case,
    Exercise,
    Mistake,
    OpenExercise,
    Requirement,
    State,
)
from labkit.book.grading import grade
from labkit.errors import ConfigError

HALVES = Exercise(
    name="1.1",
    task="half of the bytes, in whole kilobytes",
    value=28,
    unit="kB",
    hint="divide by two.",
    cases=(Case((56,), 28), Case((57,), 29)),
    places=0,
    mistakes=(
        Mistake(56, "You did not halve it."),
        Mistake(lambda found: found < 0, "A size is above 0."),
    ),
)


def is_shorter(answer: Callable[[list[int]], list[int]]) -> None:
    kept = answer([1, 2, 3])
    assert len(kept) < 3, f"it kept {len(kept)} of 3"


def keeps_order(answer: Callable[[list[int]], list[int]]) -> None:
    kept = answer([1, 2, 3])
    assert kept == sorted(kept), f"it gave {kept}"


FILTER = OpenExercise(
    name="1.2",
    task="a filter that drops a token",
    requirements=(
        Requirement("It drops something", is_shorter),
        Requirement("It keeps the order", keeps_order),
    ),
    hint="leave one out.",
    mistakes=(Mistake(lambda f: f([1, 2]) == [2, 1], "Yours turns them round."),),
)


@pytest.mark.parametrize("answer", ["28672", "28,672", " 28_672 "])
def test_a_number_in_quotes_is_told_so_and_gets_no_hint(answer: str) -> None:
    result = grade(exercise("7.1"), answer)
    assert result.state is State.WRONG
    assert "give a number, not text (28672, without quotes)." in result.text
    assert "hint" not in result.text.lower()


@pytest.mark.parametrize("answer", [True, [2.8], object(), "two", torch.zeros(2), {}])
def test_what_is_no_number_is_told_so(answer: object) -> None:
    result = grade(exercise("10.1"), answer)
    assert result.state is State.WRONG
    assert "give " in result.text


@pytest.mark.parametrize("answer", [28, 28.0, torch.tensor(28)])
def test_numbers_of_every_kind_count(answer: object) -> None:
    assert grade(HALVES, answer).state is State.RIGHT


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (56, "is not right. You did not halve it."),
        (-3, "is not right. A size is above 0."),
        (28.4, "is right before rounding: round it to a whole number."),
        (29, "is off by one in the last place: round to the nearest"),
        (224, "is exactly 8 times the right value: are these bits"),
        (28_000, "is exactly 1,000 times the right value: check the units"),
        (31, 'is not right. For a hint run lab.hint("1.1").'),
        (float("nan"), "is not right."),
        (float("inf"), "is not right."),
    ],
)
def test_the_mistake_that_was_made_is_answered(answer: float, words: str) -> None:
    result = grade(HALVES, answer)
    assert result.state is State.WRONG
    assert words in result.text
    assert "divide by two" not in result.text  # the hint is for those who ask


def test_a_function_that_makes_the_mistake_gets_its_hint() -> None:
    text = grade(HALVES, lambda n: n).text
    assert "gave 56, expected 28: is not right. You did not halve it." in text
    assert "off by one" in grade(HALVES, lambda n: n // 2).text


def unwritten(n: int) -> int:  # type: ignore[empty-body]
    """A starter."""
    ...


def not_yet(n: int) -> int:
    raise NotImplementedError


@pytest.mark.parametrize(
    "answer", [None, ..., lambda n: None, lambda n: ..., unwritten, not_yet]
)
def test_an_unwritten_answer_is_open(answer: object) -> None:
    assert grade(exercise("10.3"), answer).state is State.OPEN


def test_a_wrong_function_is_told_the_first_case_it_misses() -> None:
    def square(n: int) -> int:
        return n * n

    assert "square(3) gave 9, expected 6" in grade(exercise("10.3"), square).text


def test_a_failing_function_is_a_sentence() -> None:
    def broken(n: int) -> float:
        return n / 0

    text = grade(exercise("10.3"), broken).text
    assert "broken(1) raised ZeroDivisionError: division by zero" in text


def test_a_number_that_cannot_be_read_is_no_traceback() -> None:
    class Odd:
        def __float__(self) -> float:
            raise RuntimeError

    assert grade(HALVES, Odd()).state is State.WRONG


def test_a_long_argument_is_shortened() -> None:
    result = grade(exercise("10.2"), lambda pieces: -1)
    assert len(result.text) < 250


def test_an_open_exercise_is_right_when_all_its_requirements_are_kept() -> None:
    result = grade(FILTER, lambda tokens: tokens[1:])
    assert result.state is State.RIGHT
    assert result.text.splitlines() == [
        "1.2: your answer keeps 2 of 2 requirements.",
        "  ✓ It drops something",
        "  ✓ It keeps the order",
    ]


def test_an_open_exercise_says_which_requirement_is_missed_and_why() -> None:
    result = grade(FILTER, lambda tokens: [*tokens, 0])
    assert result.state is State.WRONG
    assert "keeps 0 of 2" in result.text
    assert "✗ It drops something: it kept 4 of 3" in result.text
    assert 'lab.hint("1.2")' in result.text


def test_an_open_exercise_answers_the_mistake_that_was_made() -> None:
    text = grade(FILTER, lambda tokens: tokens[::-1]).text
    assert text.endswith("Yours turns them round.")
    assert "lab.hint" not in text


def test_code_that_fails_is_a_requirement_missed() -> None:
    text = grade(FILTER, lambda: [0]).text
    assert "✗ It drops something: your code raised TypeError" in text
    assert text.endswith('lab.hint("1.2").')  # its own test fails too


class Unwritten:
    """A starter of a class."""

    def choose(self, blocks: list[int]) -> int:  # type: ignore[empty-body]
        """Which block to evict."""
        ...


@pytest.mark.parametrize("answer", [None, ..., Unwritten, unwritten, not_yet])
def test_an_open_exercise_without_an_answer_is_open(answer: object) -> None:
    assert grade(FILTER, answer).state is State.OPEN


def test_an_unknown_exercise_names_those_of_its_chapter() -> None:
    with pytest.raises(
        ConfigError, match=r"no exercise '10.9'; .* 10.1, 10.2, 10.3, 10.4"
    ):
        exercise("10.9")
    for odd in ("99.9", "", None, 3.1, []):
        with pytest.raises(ConfigError, match=r"the exercises are 7.1, .*10.4"):
            exercise(odd)


def test_every_exercise_has_its_own_name() -> None:
    assert len({one.name for one in EXERCISES}) == len(EXERCISES)
