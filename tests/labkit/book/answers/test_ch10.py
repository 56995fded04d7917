"""The answers of chapter 10: values are the sums, and functions pass their cases."""

from __future__ import annotations

import pytest

from labkit.book.answers import exercise
from labkit.book.exercises import State
from labkit.book.grading import grade
from labkit.text.detokenizer import StopMatcher, StreamDetokenizer


def end_to_end(ttft_s: float, tokens: int, tpot_s: float) -> float:
    return ttft_s + tpot_s * (tokens - 1)


def events(pieces: list[bytes]) -> int:
    detokenizer = StreamDetokenizer(pieces.__getitem__)
    return sum(bool(detokenizer.feed(i)) for i in range(len(pieces)))


def parsed(n: int) -> int:
    """Chunk by chunk, as the renderer does it."""
    return sum(chunk % 8 + 1 for chunk in range(n))


SUMS: dict[str, float] = {
    "10.1": 0.8 + 0.02 * (101 - 1),
    "10.2": 85 - 46,
    "10.3": 200 / 8 * (8 * 9 / 2),
}
SOLUTIONS = {"10.1": end_to_end, "10.2": events, "10.3": parsed}


@pytest.mark.parametrize("name", SUMS)
def test_values_are_the_sums_and_functions_pass_their_cases(name: str) -> None:
    assert grade(exercise(name), SUMS[name]).state is State.RIGHT
    assert grade(exercise(name), SOLUTIONS[name]).state is State.RIGHT


def one_case(text: str) -> str:
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


class AnyCase(StopMatcher):
    """A right answer: the chapter's solution."""

    def __init__(self, stops: list[str]) -> None:
        super().__init__([one_case(stop) for stop in stops])

    def _first_hit(self, text: str) -> tuple[int, str] | None:
        return super()._first_hit(one_case(text))

    def _num_to_hold(self, text: str) -> int:
        return super()._num_to_hold(one_case(text))


class Longer(AnyCase):
    """Takes positions from a text that became longer in lower case."""

    def _first_hit(self, text: str) -> tuple[int, str] | None:
        return StopMatcher._first_hit(self, text.lower())


class Waits(AnyCase):
    """Shows everything at the end only."""

    def _num_to_hold(self, text: str) -> int:
        return len(text)


def test_a_matcher_that_ignores_case_keeps_every_requirement() -> None:
    assert grade(exercise("10.4"), AnyCase).state is State.RIGHT


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Longer, "of ('İstanbul STOP it',) it shows 'İstanbul S'"),
        (Waits, "✗ Only text that may still begin a stop string is held back"),
        (StopMatcher, "the engine's own matcher, which tells upper from lower case"),
        (AnyCase(["a"]), "Give a class"),
    ],
)
def test_a_matcher_that_breaks_one_is_told_which(answer: object, words: str) -> None:
    result = grade(exercise("10.4"), answer)
    assert result.state is State.WRONG
    assert words in result.text


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("10.1", 2.82, "count one TPOT less"),
        ("10.2", 85, "That counts tokens"),
        ("10.3", 20_100, "finished blocks are kept"),
    ],
)
def test_a_usual_mistake_is_named(name: str, answer: float, words: str) -> None:
    assert words in grade(exercise(name), answer).text
