"""The box for a prompt: answers as they arrive, bad prompts and broken streams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from labkit.errors import ConfigError, InputError, ServerUnavailable, TraceError
from labkit.records import StreamChunk
from labkit.trace import Trace
from labkit.widgets.ask_box import MAX_CHARACTERS, AskBox
from tests.support.requests import trace

BOOK = (
    {"role": "system", "content": "Be careful."},
    {"role": "user", "content": "How many?"},
)


class Answer:
    """A stream of the letters of `text`, which may break off."""

    def __init__(
        self, text: str, is_complete: bool = True, finish: str = "stop"
    ) -> None:
        self.text, self.is_complete, self.finish = text, is_complete, finish
        self.error: str | None = None if is_complete else "the connection broke: reset"
        self.is_cancelled = False

    def __iter__(self) -> Iterator[StreamChunk]:
        for i, letter in enumerate(self.text):
            yield StreamChunk(i, float(i), "content", "", text=letter)
        yield StreamChunk(9, 9.0, "finish", "", finish=self.finish)

    def cancel(self) -> None:
        self.is_cancelled = True

    def trace(self) -> Trace:
        if not self.is_complete:
            raise TraceError("it has not ended")
        return trace()


class Source:
    """Answers every prompt with one answer, or refuses it."""

    def __init__(self, answer: Answer | Exception) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    def stream(self, messages: Any, **knobs: Any) -> Answer:
        self.asked.append(messages)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def asked(answer: Answer | Exception, text: str = "mine") -> tuple[AskBox, list[Any]]:
    seen: list[Any] = []
    box = AskBox(
        Source(answer), BOOK, lambda m: seen.append(m) or "Drawn.", seen.append
    )
    box.handle("ask", {"op": "ask", "text": text})
    assert box.wait()
    return box, seen


def test_a_prompt_is_answered_watched_and_handed_on() -> None:
    box, seen = asked(Answer("yes"))
    mine = [BOOK[0], {"role": "user", "content": "mine"}]
    assert (box.status, box.answer, box.note) == ("done", "yes", "Drawn.")
    assert seen == [trace(), mine]
    assert not box.is_book


def test_an_answer_that_was_cut_at_the_limit_is_not_called_complete() -> None:
    assert not asked(Answer("yes"))[0].is_cut
    assert asked(Answer("ye", finish="length"))[0].is_cut


def test_a_stream_that_breaks_off_says_so_and_is_not_done() -> None:
    box, seen = asked(Answer("ye", is_complete=False))
    assert (box.status, box.answer) == ("failed", "ye")
    assert "broke off: the connection broke: reset" in box.problem
    assert seen == []


@pytest.mark.parametrize(
    "error", [InputError("9,000 tokens, at most 8,192"), ServerUnavailable("no server")]
)
def test_a_refusal_is_told_in_its_own_words(error: Exception) -> None:
    box, seen = asked(error)
    assert (box.status, box.problem, seen) == ("failed", str(error), [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "type a prompt first"),
        (" \n", "type a prompt first"),
        ("x" * (MAX_CHARACTERS + 1), "8,001 characters; this box takes 8,000"),
        (3, "text in quotes, not 3"),
        (None, "text in quotes, not None"),
    ],
)
def test_a_bad_prompt_is_told_and_not_sent(text: object, words: str) -> None:
    source = Source(Answer("yes"))
    box = AskBox(source, BOOK)
    box.ask(text)
    assert words in box.problem
    assert (box.status, source.asked) == ("failed", [])


def test_back_is_the_books_request_and_its_recorded_life() -> None:
    box, seen = asked(Answer("yes"))
    box.handle("back", {"op": "back"})
    assert (box.prompt, box.answer, box.is_book) == ("How many?", "", True)
    assert seen[2:] == [None, [dict(message) for message in BOOK]]
    box.handle("stop", {"op": "stop"})
    with pytest.raises(ConfigError, match="knows no message"):
        box.handle("shout", {"op": "shout"})


def test_the_books_own_question_counts_as_the_books() -> None:
    assert asked(Answer("yes"), "How many?")[0].is_book


def test_without_a_kernel_the_prompt_can_be_read() -> None:
    box = AskBox(Source(Answer("yes")), BOOK)
    assert "How many?" in box.still()
    assert box.summary().startswith("Your own prompt. Run the cell above")
    assert "..." in asked(Answer("yes"), "long " * 100)[0].still()
