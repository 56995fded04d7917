"""A message that is sent again to a server that really listens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labkit.clock import SystemClock
from labkit.errors import InputError, LabError, QueueFull
from labkit.net.client import LabClient
from labkit.net.optimistic_send import OutgoingMessage, SendState, failure_of
from server.settings import Settings
from tests.support.running import RunningServer
from tests.support.scripted_backend import ScriptedBackend

SCRIPT = ("Str", "aw", "berry ", "🍓")


class Chat:
    """A client beside its server."""

    def __init__(self, client: LabClient, backend: ScriptedBackend) -> None:
        self.client = client
        self.backend = backend

    def attempt(
        self, message: OutgoingMessage, *, cut_at: int | None = None
    ) -> OutgoingMessage:
        """The message after its attempt; the client is cut off at chunk `cut_at`."""
        number = message.attempt
        asked = [{"role": "user", "content": message.text}]
        try:
            with self.client.stream(asked, idempotency_key=message.key) as stream:
                message = message.accept(number)
                for i, chunk in enumerate(stream):
                    if i == cut_at:
                        cut = failure_of(ConnectionError("the connection was cut"))
                        return message.fail(cut, number)
                    message = message.add(chunk.text, number)
        except LabError as error:
            return message.fail(failure_of(error), number)
        return message.finish(number)


@pytest.fixture
def chat() -> Iterator[Chat]:
    clock = SystemClock()
    backend = ScriptedBackend(clock, SCRIPT)
    with (
        RunningServer(Settings(), backend, clock) as server,
        LabClient(server.url, clock, model="scripted") as client,
    ):
        yield Chat(client, backend)


@pytest.mark.parametrize(("key", "num_generated"), [("key-1", 1), (None, 3)])
@pytest.mark.parametrize("cut_at", [0, 1, 3])
def test_a_cut_makes_a_second_answer_only_without_a_key(
    chat: Chat, cut_at: int, key: str | None, num_generated: int
) -> None:
    message = OutgoingMessage("Which fruit?").submit(key)
    for _ in range(2):
        message = chat.attempt(message, cut_at=cut_at)
        assert message.may_retry
        message = message.retry()
    message = chat.attempt(message)
    assert (message.state, message.answer) == (SendState.DONE, "Strawberry 🍓")
    assert len(chat.backend.requests) == num_generated


def test_a_server_that_is_full_says_when_to_send_again(chat: Chat) -> None:
    chat.backend.refusals = [QueueFull("full", retry_after_s=2.0)]
    message = chat.attempt(OutgoingMessage("Hi").submit("key-1"))
    assert message.failure is not None
    assert message.failure.retry_after_s == 2.0
    message = chat.attempt(message.retry())
    assert message.answer == "Strawberry 🍓"
    assert len(chat.backend.requests) == 1


def test_another_text_with_a_used_key_is_refused_for_good(chat: Chat) -> None:
    chat.attempt(OutgoingMessage("Hi").submit("key-1"))
    message = chat.attempt(OutgoingMessage("Hello").submit("key-1"))
    assert message.state is SendState.FAILED
    assert not message.may_retry


@pytest.mark.parametrize("key", ["", "a b", "a\r\nX: 1", "schlüssel", "x" * 256])
def test_a_key_that_no_header_can_carry_is_refused_before_sending(
    chat: Chat, key: str
) -> None:
    asked = [{"role": "user", "content": "Hi"}]
    with pytest.raises(InputError, match="1 to 255 printable ASCII characters"):
        chat.client.stream(asked, idempotency_key=key)
    assert not chat.backend.requests
