"""The words by which a widget names the prompt that it works on."""

from __future__ import annotations

from labkit.widgets.prompts import about


def test_the_last_question_is_quoted_on_one_line() -> None:
    first, last = ({"role": "user", "content": t} for t in ("Why?", "What\nis it?"))
    assert about([first, last]) == "\u201cWhat is it?\u201d: "


def test_a_long_question_is_cut_and_says_so() -> None:
    words = about([{"role": "user", "content": "why " * 50}])
    assert words.endswith("\u2026\u201d: ")
    assert len(words) == 40 + 4


def test_a_conversation_without_a_question_is_told_too() -> None:
    assert "no question" in about([{"role": "system", "content": "Be brief."}])
