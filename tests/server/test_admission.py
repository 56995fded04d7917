"""Seats are bounded, and sizes are judged on the text alone."""

from __future__ import annotations

import asyncio

import pytest

from labkit.dialects.events import ApiError, ChatRequest, Message, Role
from labkit.sequence import SamplingParams
from server.admission import Admission, require_size
from server.outcomes import Outcome
from tests.support.running import RunningServer


def chat(*texts: str) -> ChatRequest:
    messages = tuple(Message(Role.USER, text) for text in texts)
    return ChatRequest("m", messages, SamplingParams())


def test_a_seat_is_free_again_however_its_request_ends() -> None:
    async def scene() -> None:
        admission = Admission(1)
        for error in (ValueError, asyncio.CancelledError):
            with pytest.raises(error):
                async with admission.admit("t", "a", lambda: None, None):
                    raise error
        async with admission.admit("t", "b", lambda: None, None):
            assert admission.find("t", "b") is not None
            with pytest.raises(ApiError) as full:
                async with admission.admit("t", "c", lambda: None, None):
                    pass
            assert full.value.problem.status == 429
        assert admission.find("t", "b") is None

    asyncio.run(scene())


def test_the_first_reason_to_end_stays_and_aborts_once() -> None:
    aborts: list[int] = []

    async def scene() -> None:
        async with Admission(1).admit("t", "a", lambda: aborts.append(1), None) as seat:
            seat.end(Outcome.CANCELLED)
            seat.end(Outcome.LEASE_EXPIRED)
            assert seat.ended_by is Outcome.CANCELLED

    asyncio.run(scene())
    assert aborts == [1]


def test_text_that_no_tokenizer_could_fit_is_refused_by_its_length() -> None:
    require_size(chat("x" * 300), 100, 3)
    require_size(chat("x" * 9999), 100, None)  # nothing is known of the tokens
    with pytest.raises(ApiError, match="301 characters") as caught:
        require_size(chat("x" * 200, "x" * 101), 100, 3)
    assert caught.value.problem.param == "messages"


def test_a_long_prompt_is_refused_with_the_code_of_a_full_context(
    tiny_server: RunningServer,
) -> None:
    text = "x" * 20_000
    reply = tiny_server.chat(messages=[{"role": "user", "content": text}])
    error = reply.json["error"]
    assert (reply.status, error["code"]) == (400, "context_length_exceeded")
    assert "20000 characters" in error["message"]
