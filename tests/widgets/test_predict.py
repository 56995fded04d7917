"""Predictions: locked once, never after the answer, and nothing ever waits."""

from __future__ import annotations

import pytest

from labkit.errors import ConfigError
from labkit.widgets.predict import Predict, off_by, worded


def choice() -> Predict:
    return Predict("Which part is longest?", ["queue", "prefill"])


def number() -> Predict:
    return Predict("How long?", between=(0, 1000), unit="ms")


def test_a_locked_guess_cannot_be_changed() -> None:
    guess = choice()
    guess.lock("queue")
    guess.lock("prefill")
    assert (guess.guess, guess.locked, guess.is_closed) == ("queue", "queue", True)


def test_the_page_locks_by_message() -> None:
    guess = choice()
    guess.handle("lock", {"op": "lock", "choice": "prefill"})
    assert guess.reveal("prefill").text.endswith("Answer: prefill. Right.")
    with pytest.raises(ConfigError, match="knows no message"):
        guess.handle("unlock", {"op": "unlock"})


def test_without_a_guess_the_verdict_is_there_at_once() -> None:
    verdict = choice().reveal("queue")
    assert verdict.text == "Answer: queue. No guess was locked."
    bundle = verdict._repr_mimebundle_()[0]
    assert bundle["text/plain"] == verdict.text
    words = f"<details><summary>Answer</summary><p>{verdict.text}</p></details>"
    assert bundle["text/html"] == words


def test_the_page_sees_the_answer_only_after_the_lock() -> None:
    guess = number()
    verdict = guess.reveal(12.3, "Measured just now.")
    assert not verdict.is_open
    guess.lock(20)
    assert verdict.is_open
    assert verdict.text == (
        "You said 20 ms. Answer: 12.3 ms. "
        "Your guess is too high by a factor of 1.63. Measured just now."
    )


def test_after_the_answer_was_shown_nothing_can_be_locked() -> None:
    guess = number()
    verdict = guess.reveal(5)
    verdict.handle("open", {"op": "open"})
    guess.lock(5)
    assert verdict.is_open
    assert guess.guess is None
    with pytest.raises(ConfigError, match="knows no message"):
        verdict.handle("shut", {"op": "shut"})


def test_guess_again_opens_the_card_and_closes_the_answer() -> None:
    guess = number()
    verdict = guess.reveal(12)
    guess.handle("lock", {"op": "lock", "choice": 3})
    guess.handle("again", {"op": "again"})
    assert (guess.guess, guess.locked, verdict.is_open) == (None, "", False)
    guess.lock(12)
    assert verdict.text == "You said 12 ms. Answer: 12 ms. Exactly right."


def test_a_skip_shows_the_answer_and_locks_nothing() -> None:
    guess = number()
    verdict = guess.reveal(12)
    guess.handle("skip", {"op": "skip"})
    assert verdict.is_open
    assert verdict.text == "Answer: 12 ms. No guess was locked."


@pytest.mark.parametrize(
    ("guess", "answer", "words"),
    [
        (5, 5, "Exactly right."),
        (1, 200, "too low by a factor of 200."),
        (0, 7, "too low by 7 ms."),
    ],
)
def test_a_number_is_told_how_far_off_it_is(
    guess: float, answer: float, words: str
) -> None:
    prediction = number()
    prediction.lock(guess)
    assert prediction.reveal(answer).text.endswith(words)


@pytest.mark.parametrize("bad", [None, "20", True, -1, 1001, float("nan")])
def test_a_number_outside_the_range_is_refused(bad: object) -> None:
    with pytest.raises(ConfigError, match="no number from 0 to 1,000 ms"):
        number().lock(bad)


def test_a_choice_that_was_not_offered_is_refused() -> None:
    with pytest.raises(ConfigError, match="choose from: queue, prefill"):
        choice().lock("network")
    with pytest.raises(ConfigError, match="was not an option"):
        choice().reveal("network")


def test_a_question_needs_choices_of_one_kind() -> None:
    for keywords in ({}, {"options": ["one"]}, {"options": "ab", "between": (0, 1)}):
        with pytest.raises(ConfigError, match="two options or more"):
            Predict("?", **keywords)  # type: ignore[arg-type]


def test_the_question_reads_without_a_kernel() -> None:
    bundle = choice()._repr_mimebundle_()[0]
    assert bundle["text/plain"] == "Which part is longest? queue · prefill"
    assert "<strong>Which part is longest?</strong>" in bundle["text/html"]
    assert repr(number()) == "<Predict: How long?>"
    assert "<svg" in number().still()
    assert "<svg" in number().reveal(3).still()


def test_guesses_that_print_as_the_answer_does_are_right() -> None:
    assert off_by(3.3616, 3.36) == "Exactly right."
    assert off_by(40, 40.1) == "Right, to within 1 %."
    assert off_by(41, 40) == "Your guess is too high by a factor of 1.02."
    assert off_by(0, 24, "ms") == "Your guess is too low by 24 ms."


def test_a_number_is_answered_on_a_line() -> None:
    guess = number()
    verdict = guess.reveal(250)
    assert verdict.line["guess"] is None
    guess.lock(500)
    assert (verdict.line["guess"]["at"], verdict.line["answer"]["at"]) == (0.5, 0.25)
    assert verdict.line["answer"]["text"] == "250 ms"
    html = verdict._repr_mimebundle_()[0]["text/html"]
    assert html.startswith("<details><summary>Answer</summary><p>You said 500 ms.")
    assert "<img" in html
    assert choice().reveal("queue").line == {}


def test_one_of_something_has_no_plural() -> None:
    assert worded(1, "tokens") == "1 token"
    assert worded(2, "tokens") == "2 tokens"
    assert worded(1, "ms") == "1 ms"
