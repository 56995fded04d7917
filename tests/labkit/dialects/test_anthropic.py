"""Neutral events become Anthropic's typed events: shapes, order, usage."""

from __future__ import annotations

import json
from typing import Any

import pytest

from labkit.dialects import anthropic
from labkit.dialects.events import (
    Ended,
    Failed,
    FinishReason,
    Ping,
    Problem,
    Started,
    StreamEvent,
    TextPiece,
)
from labkit.records import Usage
from labkit.text.sse import SSEParser

STARTED = Started("chatcmpl-1", "m", 1_767_225_600, 100)
PIECES = [TextPiece("Hé"), TextPiece("!")]


def parsed(events: list[StreamEvent]) -> list[Any]:
    found = SSEParser().feed(b"".join(anthropic.frames(events)))
    for event in found:
        assert json.loads(event.data)["type"] == event.event
    return [json.loads(event.data) for event in found]


def ended(finish: FinishReason, stop: str | None = None) -> Ended:
    return Ended(finish, Usage(100, 2, 80), stop)


def test_events_come_in_the_order_of_the_contract() -> None:
    events = parsed([STARTED, *PIECES, ended(FinishReason.STOP)])
    assert [event["type"] for event in events] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_the_message_opens_empty_with_the_real_input_count() -> None:
    message = parsed([STARTED])[0]["message"]
    assert message["content"] == []
    assert (message["stop_reason"], message["stop_sequence"]) == (None, None)
    assert message["usage"]["input_tokens"] == 100


def test_deltas_carry_text_for_block_0() -> None:
    deltas = parsed([STARTED, *PIECES])[2:]
    assert [d["delta"] for d in deltas] == [
        {"type": "text_delta", "text": "Hé"},
        {"type": "text_delta", "text": "!"},
    ]
    assert {d["index"] for d in deltas} == {0}


def test_three_input_counts_add_up_to_the_prompt() -> None:
    usage = parsed([ended(FinishReason.STOP)])[1]["usage"]
    assert usage == {
        "input_tokens": 20,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 80,
        "output_tokens": 2,
    }


@pytest.mark.parametrize(
    ("finish", "stop", "reason"),
    [
        (FinishReason.STOP, None, "end_turn"),
        (FinishReason.STOP, "\n", "stop_sequence"),
        (FinishReason.LENGTH, None, "max_tokens"),
        (FinishReason.CANCELLED, None, "end_turn"),
    ],
)
def test_the_reason_to_stop_is_one_of_the_closed_set(
    finish: FinishReason, stop: str | None, reason: str
) -> None:
    delta = parsed([ended(finish, stop)])[1]["delta"]
    assert delta == {"stop_reason": reason, "stop_sequence": stop}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, "rate_limit_error"),
        (409, "invalid_request_error"),
        (503, "overloaded_error"),
        (500, "api_error"),
    ],
)
def test_a_failure_is_an_error_event(status: int, kind: str) -> None:
    (event,) = parsed([Failed(Problem(status, "no"))])
    assert event["error"] == {"type": kind, "message": "no"}


def test_a_ping_is_an_event_of_its_own() -> None:
    (frame,) = anthropic.AnthropicFrames().feed(Ping())
    assert frame == b'event: ping\ndata: {"type":"ping"}\n\n'


def test_every_reason_to_finish_has_a_word() -> None:
    assert set(anthropic.STOP_REASONS) == set(FinishReason)
