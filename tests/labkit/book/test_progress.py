"""Bars and busy machines, on stdout."""

from __future__ import annotations

import pytest

from labkit.book.progress import busy_words, progress
from labkit.errors import ConfigError


def test_a_long_cell_shows_how_much_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress([1, 2, 3], "Runs")) == [1, 2, 3]
    assert list(progress(iter("ab"), "Runs", 2)) == ["a", "b"]
    said = capsys.readouterr()
    assert "Runs: 0 of 3" in said.out
    assert "Runs: 0 of 2" in said.out
    assert said.err == ""


def test_a_row_of_unknown_length_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(iter("ab"), "Runs")) == ["a", "b"]
    assert "Runs: 0, " in capsys.readouterr().out


def test_a_busy_machine_is_told_from_twice_the_recorded_times_on() -> None:
    assert busy_words(20.0, 10.0) == ""
    assert busy_words([30, 41, 400], [10, 10]).endswith(
        "these are 4.1 times the recorded times."
    )
    assert busy_words(1.0, [10.0]) == ""


@pytest.mark.parametrize("bad", [[], 0.0, [-1.0, 2.0]])
def test_times_that_are_none_are_refused(bad: object) -> None:
    with pytest.raises(ConfigError, match="milliseconds above 0"):
        busy_words(bad, 1.0)  # type: ignore[arg-type]
