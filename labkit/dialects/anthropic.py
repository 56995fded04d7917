"""Anthropic's Messages stream: typed blocks, cumulative usage; written and read back.

Streams and errors only; there is no endpoint. Each event has an `event:` line and the
same `type` in its data; there is no `[DONE]`. One text block is opened with the message
and closed before `message_delta`. The reader never raises, whatever it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from labkit.dialects.events import (
    Ended,
    FinishReason,
    Meaning,
    Ping,
    Problem,
    Started,
    StreamEvent,
    TextPiece,
)
from labkit.dialects.wire import count_of, from_json, mapping_of, text_of, to_json
from labkit.records import Usage
from labkit.text import sse

__all__ = ["AnthropicFrames", "AnthropicReader", "error_body", "frames"]

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
READ_AS: Final[Mapping[str, FinishReason]] = MappingProxyType(
    {
        "end_turn": FinishReason.STOP,
        "stop_sequence": FinishReason.STOP,
        "pause_turn": FinishReason.STOP,
        "max_tokens": FinishReason.LENGTH,
        "model_context_window_exceeded": FinishReason.LENGTH,
        "tool_use": FinishReason.TOOL_CALLS,
        "refusal": FinishReason.REFUSAL,
    }
)
INPUT_COUNTS: Final = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
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


class AnthropicReader:
    """Reads a stream back: one event's data in, what it says out.

    Usage comes in parts, each counted from the start, so the reader remembers them.
    """

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}  # the newest value told of each count

    def read(self, data: str) -> Meaning:
        """What one event says; later counts replace earlier ones of the same name."""
        value = from_json(data)
        if value is None:
            return Meaning("other", is_object=False)
        delta = mapping_of(value.get("delta"))
        match value.get("type"):
            case "message_start":
                message = mapping_of(value.get("message"))
                return Meaning("role", usage=self._usage(message.get("usage")))
            case "content_block_delta":
                text = text_of(delta.get("text"))
                return Meaning("other" if text is None else "content", text or "")
            case "message_delta":
                return self._delta(delta, self._usage(value.get("usage")))
            case "message_stop":
                return Meaning("done")
            case "error":
                return Meaning("error", error=_said(value.get("error")))
        return Meaning("other")  # a block begins or ends, a ping

    def _delta(self, delta: Mapping[str, Any], usage: Usage | None) -> Meaning:
        if reason := text_of(delta.get("stop_reason")):
            return Meaning("finish", "", READ_AS.get(reason, reason), usage)
        return Meaning("usage" if usage else "other", usage=usage)

    def _usage(self, told: object) -> Usage | None:
        """The three inputs add up to the prompt; None where no count was told."""
        found = {name: count_of(value) for name, value in mapping_of(told).items()}
        news = {name: count for name, count in found.items() if count is not None}
        self._counts.update(news)
        if not {*INPUT_COUNTS, "output_tokens"} & news.keys():
            return None
        prompt = sum(self._counts.get(name, 0) for name in INPUT_COUNTS)
        output = self._counts.get("output_tokens", 0)
        return Usage(prompt, output, self._counts.get("cache_read_input_tokens", 0))


def _said(error: object) -> str:
    said = text_of(mapping_of(error).get("message"))
    return said or "the server reported an error"


def error_body(problem: Problem) -> dict[str, Any]:
    """The JSON of a refusal; its type is one of Anthropic's closed set."""
    status = problem.status
    other = "invalid_request_error" if 400 <= status < 500 else "api_error"
    kind = ERROR_TYPES.get(status, other)
    return {"type": "error", "error": {"type": kind, "message": problem.short_message}}


def _frame(kind: str, **fields: Any) -> bytes:
    return sse.encode(to_json({"type": kind, **fields}), event=kind)


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
