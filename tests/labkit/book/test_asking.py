"""The reader's prompt: handed to all that follow, and to those that come later."""

from __future__ import annotations

import gc

import pytest

from labkit.book.asking import Prompt
from labkit.errors import ConfigError, InputError

BOOK = [{"role": "user", "content": "the book's"}]
MINE = [{"role": "user", "content": "mine"}]


class Picture:
    """A follower that keeps what it was asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: list[object] = []
        self.error = error

    def ask(self, messages: object) -> None:
        if self.error is not None:
            raise self.error
        self.asked.append(messages)


def test_a_prompt_reaches_every_follower_and_those_that_come_later() -> None:
    prompt, early = Prompt(BOOK), Picture()
    assert prompt.follow(early) is early
    assert early.asked == []  # a recording stays until the reader asks
    assert prompt.give(MINE) == "1 picture below now works on your prompt."
    late = prompt.follow(Picture())
    assert (early.asked, late.asked) == ([MINE], [MINE])
    said = prompt.give(BOOK)
    assert said == "2 pictures below now work on the book's request."
    assert early.asked == [MINE, BOOK]


def test_one_that_fails_is_named_and_the_others_follow() -> None:
    prompt, good = Prompt(BOOK), Picture()
    bad = prompt.follow(Picture(InputError("the prompt is too long")))
    worse = prompt.follow(Picture(RuntimeError("no")))
    prompt.follow(good)
    said = prompt.give(MINE)
    assert "Picture: the prompt is too long" in said
    assert "Picture: RuntimeError: no" in said
    assert good.asked == [MINE]
    assert (bad.asked, worse.asked) == ([], [])


def test_a_picture_that_is_gone_is_not_held() -> None:
    prompt = Prompt(BOOK)
    prompt.follow(Picture())
    gc.collect()
    assert prompt.give(MINE) == ""


def test_what_takes_no_prompt_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"follow\(int\): it takes no prompt"):
        Prompt(BOOK).follow(3)  # type: ignore[type-var]


def test_the_messages_cannot_be_spoilt_for_others() -> None:
    prompt = Prompt(BOOK)
    prompt.messages.clear()
    prompt.messages[0]["content"] = "spoilt"
    assert prompt.messages == BOOK
