"""The states of a message that is shown before the server has it."""

from __future__ import annotations

from itertools import product

import pytest

from labkit.errors import (
    InputError,
    ProtocolError,
    QueueFull,
    ServerUnavailable,
)
from labkit.net.optimistic_send import (
    Failure,
    OutgoingMessage,
    SendState,
    failure_of,
)

PIECES = ("Hel", "lo", "!")
CUT = Failure("the stream was cut", may_retry=True)
FAULTS = ("lost request", "lost head", "cut", "busy", "none")
THREE_FAULTS = list(product(FAULTS, repeat=3))


class Server:
    """Answers each request once a key, or each time where a request has no key."""

    def __init__(self) -> None:
        self.num_generated = 0
        self._answers: dict[str, tuple[str, ...]] = {}

    def answer(self, key: str | None) -> tuple[str, ...]:
        if key is not None and key in self._answers:
            return self._answers[key]
        self.num_generated += 1
        if key is not None:
            self._answers[key] = PIECES
        return PIECES


def attempted(message: OutgoingMessage, fault: str, server: Server) -> OutgoingMessage:
    """The message after its attempt, which `fault` befell on the way."""
    number = message.attempt
    if fault == "lost request":
        return message.fail(failure_of(TimeoutError()), number)
    if fault == "busy":
        return message.fail(failure_of(QueueFull("full", retry_after_s=2)), number)
    pieces = server.answer(message.key)
    if fault == "lost head":
        return message.fail(failure_of(TimeoutError()), number)
    message = message.accept(number)
    if fault == "cut":
        return message.add(pieces[0], number).fail(CUT, number)
    for piece in pieces:
        message = message.add(piece, number)
    return message.finish(number)


def sent(faults: tuple[str, ...], key: str | None) -> tuple[OutgoingMessage, Server]:
    """A message that is sent again until it is answered; no fault after the last."""
    server, message = Server(), OutgoingMessage("Hi").submit(key)
    for fault in (*faults, "none"):
        message = attempted(message, fault, server)
        if message.state is SendState.DONE:
            return message, server
        message = message.retry()
    raise AssertionError("the message was never answered")


@pytest.mark.parametrize("faults", THREE_FAULTS, ids="-".join)
def test_with_a_key_no_faults_make_a_second_answer(faults: tuple[str, ...]) -> None:
    message, server = sent(faults, "key-1")
    assert server.num_generated == 1
    assert (message.answer, message.key) == ("Hello!", "key-1")


@pytest.mark.parametrize("faults", THREE_FAULTS, ids="-".join)
def test_without_a_key_each_answer_that_was_lost_is_made_again(
    faults: tuple[str, ...],
) -> None:
    before = (*faults, "none")[: (*faults, "none").index("none")]
    num_lost = sum(fault in {"lost head", "cut"} for fault in before)
    message, server = sent(faults, None)
    assert server.num_generated == num_lost + 1
    assert message.answer == "Hello!"


def test_an_undisturbed_message_passes_its_states_in_order() -> None:
    message = OutgoingMessage("Hi")
    seen = [message.state]
    for step in (
        lambda m: m.submit("k"),
        lambda m: m.accept(1),
        lambda m: m.add("Hello", 1),
        lambda m: m.finish(1),
    ):
        message = step(message)
        seen.append(message.state)
    assert seen == ["draft", "sending", "accepted", "streaming", "done"]


def test_a_message_is_shown_from_the_moment_of_sending() -> None:
    draft = OutgoingMessage("Hi")
    sending = draft.submit("k")
    failed = sending.fail(CUT, 1)
    assert [m.is_shown for m in (draft, sending, failed)] == [False, True, True]


def test_a_retry_keeps_the_key_and_starts_the_answer_anew() -> None:
    cut = OutgoingMessage("Hi").submit("k").accept(1).add("Hel", 1).fail(CUT, 1)
    assert (cut.answer, cut.may_retry) == ("Hel", True)
    again = cut.retry()
    assert (again.state, again.key, again.attempt) == ("retried", "k", 2)
    assert (again.answer, again.failure, again.may_retry) == ("", None, False)


def test_an_edited_message_has_no_key() -> None:
    failed = OutgoingMessage("Hi").submit("k").fail(CUT, 1)
    assert failed.edit("Hello") == OutgoingMessage("Hello")
    assert OutgoingMessage("Hi").edit("Hey").submit("k2").key == "k2"


def test_news_of_an_attempt_that_was_given_up_changes_nothing() -> None:
    failed = OutgoingMessage("Hi").submit("k").fail(CUT, 1)
    for message in (failed, failed.retry()):
        assert message.accept(1) is message
        assert message.add("late", 1) is message
        assert message.finish(1) is message
        assert message.fail(CUT, 1) is message


def test_news_of_an_attempt_that_was_never_made_is_refused() -> None:
    with pytest.raises(InputError, match="attempt 2 was never made: the last one is 1"):
        OutgoingMessage("Hi").submit("k").accept(2)
    with pytest.raises(InputError, match="attempt 0 was never made"):
        OutgoingMessage("Hi").accept(0)


def test_a_step_that_the_state_does_not_allow_is_refused_by_name() -> None:
    sending = OutgoingMessage("Hi").submit("k")
    done = sending.accept(1).finish(1)
    with pytest.raises(InputError, match=r"'submit' .* 'sending', only in 'draft'"):
        sending.submit("k")
    with pytest.raises(InputError, match=r"'add' .* only in 'accepted' or 'streaming'"):
        sending.add("Hello", 1)
    with pytest.raises(InputError, match="'fail' is not possible in the state 'done'"):
        done.fail(CUT, 1)
    with pytest.raises(InputError, match="'retry' is not possible in the state 'done'"):
        done.retry()


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_message_is_not_sent(text: str) -> None:
    with pytest.raises(InputError, match="is empty: write something"):
        OutgoingMessage(text).submit("k")


def test_a_refusal_for_what_was_sent_is_not_retried() -> None:
    refused = failure_of(InputError("temperature=9: use 0 to 2", param="temperature"))
    failed = OutgoingMessage("Hi").submit("k").fail(refused, 1)
    assert not failed.may_retry
    with pytest.raises(InputError, match=r"temperature=9.*: edit it first"):
        failed.retry()


def test_what_passes_by_itself_is_retried_when_the_server_says() -> None:
    full = failure_of(QueueFull("full", retry_after_s=2.5))
    assert (full.may_retry, full.retry_after_s) == (True, 2.5)
    assert failure_of(TimeoutError()) == Failure("TimeoutError", may_retry=True)
    for error in (
        ConnectionResetError("reset"),
        ProtocolError("cut"),
        ServerUnavailable("no model"),
    ):
        assert failure_of(error).may_retry
