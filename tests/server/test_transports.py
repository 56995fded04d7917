"""Whole answers: one body, and a long one is written beside the event loop."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from labkit.dialects import openai
from labkit.dialects.events import (
    ApiError,
    ChatRequest,
    Ended,
    Failed,
    FinishReason,
    Message,
    Problem,
    Role,
    Started,
    StreamEvent,
    TextPiece,
    TokenScore,
)
from labkit.records import Usage
from labkit.sequence import SamplingParams
from server.transports import whole

STARTED = Started("chatcmpl-1", "m", 1_767_225_600, 7)
ENDED = Ended(FinishReason.STOP, Usage(7, 2))


class WatchedScores(tuple[TokenScore, ...]):
    """Scores that remember which thread looked at them."""

    threads: list[int]

    def __iter__(self) -> Iterator[TokenScore]:
        self.threads.append(threading.get_ident())
        return super().__iter__()


def asked(*, wants_logprobs: bool) -> ChatRequest:
    messages = (Message(Role.USER, "hi"),)
    return ChatRequest("m", messages, SamplingParams(), wants_logprobs=wants_logprobs)


def told(chat: ChatRequest, *events: StreamEvent) -> dict[str, Any]:
    async def stream() -> AsyncGenerator[StreamEvent, None]:
        for event in events:
            yield event

    found: dict[str, Any] = json.loads(asyncio.run(whole(stream(), chat)))
    return found


def test_an_answer_with_scores_is_what_its_dialect_writes() -> None:
    score = TokenScore("é", "é".encode(), -0.5, (TokenScore("e", b"e", -1.0),))
    pieces = [TextPiece("é", (score, score)), TextPiece("", (score,))]
    for wants in (False, True):
        body = openai.completion(STARTED, pieces, ENDED, with_logprobs=wants)
        chat = asked(wants_logprobs=wants)
        assert told(chat, STARTED, *pieces, ENDED) == body


def test_scores_are_written_beside_the_event_loop() -> None:
    scores = WatchedScores([TokenScore("a", b"a", -0.5)])
    scores.threads = []
    told(asked(wants_logprobs=True), STARTED, TextPiece("a", scores), ENDED)
    assert scores.threads
    assert threading.get_ident() not in scores.threads


def test_an_answer_that_fails_is_a_refusal() -> None:
    problem = Problem(500, "broke")
    with pytest.raises(ApiError) as caught:
        told(asked(wants_logprobs=False), STARTED, TextPiece("a"), Failed(problem))
    assert caught.value.problem == problem
