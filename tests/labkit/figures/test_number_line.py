"""A guess and the answer on a line: where the marks lie, and which axis it has."""

from __future__ import annotations

import pytest

from labkit.figures.number_line import NumberLine, draw_number_line, number_line

WORDS = ("How many?", "You said something.")


def line(low: float, high: float, answer: float, guess: float | None) -> NumberLine:
    mine = None if guess is None else (guess, f"{guess:g}")
    return number_line(WORDS, (low, high), (answer, f"{answer:g}"), mine, "ms")


def test_a_narrow_range_is_linear_and_a_wide_one_logarithmic() -> None:
    assert not line(0, 1e6, 1, 2).is_log  # 0 has no logarithm
    assert not line(1, 100, 1, 2).is_log
    wide = line(1, 10_000, 100, 10)
    assert wide.is_log
    assert wide.guess is not None
    assert (wide.guess.at, wide.answer.at) == pytest.approx((0.25, 0.5))
    assert [tick.text for tick in wide.ticks] == [
        "1",
        "10",
        "100",
        "1,000",
        "10,000 ms",
    ]


def test_an_answer_outside_the_range_widens_it() -> None:
    found = line(0, 100, 200, 100)
    assert (found.guess.at if found.guess else None, found.answer.at) == (0.5, 1.0)


def test_a_line_without_a_guess_has_the_answer_only() -> None:
    found = line(0, 10, 5, None)
    assert (found.guess, found.answer.at) == (None, 0.5)
    assert "Your guess" not in draw_number_line(found)


def test_a_range_of_one_value_is_its_middle() -> None:
    assert line(5, 5, 5, 5).answer.at == 0.5


def test_words_stay_on_the_card() -> None:
    for answer in (0, 10):
        assert "Answer" in draw_number_line(line(0, 10, answer, 10 - answer))
