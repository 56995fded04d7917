"""Neutral events → Anthropic's Messages stream: typed blocks, cumulative usage.

The frames encoder only; there is no endpoint. Each event has an `event:` line and the
same `type` in its data; there is no `[DONE]`. One text block is opened with the message
and closed before `message_delta`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from labkit.dialects.events import (
    Ended,
    FinishReason,
    Ping,
    Problem,
    Started,
    StreamEvent,
    TextPiece,
)
from labkit.records import Usage
from labkit.text import sse

__all__ = ["AnthropicFrames", "error_body", "frames"]

STOP_REASONS: Final[Mapping[FinishReason, str]] = MappingProxyType(
    {
        FinishReason.STOP: "end_turn",
        FinishReason.LENGTH: "max_tokens",
        FinishReason.CONTENT_FILTER: "refusal",
        FinishReason.TOOL_CALLS: "tool_use",
        FinishReason.REFUSAL: "refusal",
        FinishReason.CANCELLED: "end_turn",  # the closed set has no word for these two
        FinishReason.ERROR: "end_turn",
    }
)
ERROR_TYPES: Final[Mapping[int, str]] = MappingProxyType(
    {
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        503: "overloaded_error",
    }
)


class AnthropicFrames:
    """One stream's encoder; `feed` each event in order."""

    def feed(self, event: StreamEvent) -> list[bytes]:
        """The SSE frames that say `event`."""
        match event:
            case Started():
                return [
                    _frame("message_start", message=_message(event)),
                    _block_start(),
                ]
            case TextPiece():
                delta = {"type": "text_delta", "text": event.text}
                return [_frame("content_block_delta", index=0, delta=delta)]
            case Ping():
                return [_frame("ping")]
            case Ended():
                return _last(event)
        return [_frame("error", error=error_body(event.problem)["error"])]


def frames(events: Iterable[StreamEvent]) -> Iterator[bytes]:
    """All frames of a whole run."""
    encoder = AnthropicFrames()
    for event in events:
        yield from encoder.feed(event)


def error_body(problem: Problem) -> dict[str, Any]:
    """The JSON of a refusal; its type is one of Anthropic's closed set."""
    status = problem.status
    other = "invalid_request_error" if 400 <= status < 500 else "api_error"
    kind = ERROR_TYPES.get(status, other)
    return {"type": "error", "error": {"type": kind, "message": problem.short_message}}


def _frame(kind: str, **fields: Any) -> bytes:
    data = {"type": kind, **fields}
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return sse.encode(text, event=kind)


def _message(started: Started) -> dict[str, Any]:
    return {
        "id": started.request_id,
        "type": "message",
        "role": "assistant",
        "model": started.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _usage(Usage(started.prompt_tokens, 0)),
    }


def _block_start() -> bytes:
    block = {"type": "text", "text": ""}
    return _frame("content_block_start", index=0, content_block=block)


def _last(ended: Ended) -> list[bytes]:
    reason = STOP_REASONS[ended.finish]
    if ended.stop_sequence is not None:
        reason = "stop_sequence"
    delta = {"stop_reason": reason, "stop_sequence": ended.stop_sequence}
    return [
        _frame("content_block_stop", index=0),
        _frame("message_delta", delta=delta, usage=_usage(ended.usage)),
        _frame("message_stop"),
    ]


def _usage(usage: Usage) -> dict[str, int]:
    """Anthropic counts uncached input apart: the three inputs add up to the prompt."""
    return {
        "input_tokens": usage.prompt_tokens - usage.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
    }
