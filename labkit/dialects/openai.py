"""Neutral events → OpenAI's chat.completion JSON, streamed and whole.

Emits one `data:` line an event, ASCII JSON, and `: ping` comments; never an `event:`
line. A stream is role chunk, content deltas, one finish chunk, a usage chunk if it was
asked for, `[DONE]`; id, created and model are the same in every chunk.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    TokenScore,
)
from labkit.records import Usage
from labkit.text import sse

__all__ = [
    "OpenAIFrames",
    "completion",
    "error_body",
    "frames",
    "model_card",
    "model_list",
    "to_json",
]

FINISH_REASONS: Final[Mapping[FinishReason, str]] = MappingProxyType(
    {
        FinishReason.STOP: "stop",
        FinishReason.LENGTH: "length",
        FinishReason.CONTENT_FILTER: "content_filter",
        FinishReason.TOOL_CALLS: "tool_calls",
        FinishReason.REFUSAL: "content_filter",  # OpenAI has no word of its own for it
        FinishReason.CANCELLED: "abort",  # as vLLM and SGLang write it
        FinishReason.ERROR: "error",
    }
)
VERY_UNLIKELY = -9999.0  # what OpenAI's API writes where a log-probability has no value


def to_json(data: Mapping[str, Any]) -> str:
    """Compact ASCII JSON; refuses NaN and Infinity."""
    return json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


class OpenAIFrames:
    """One stream's encoder; `feed` each event in order."""

    def __init__(
        self, *, with_usage: bool = False, with_logprobs: bool = False
    ) -> None:
        self._with_usage = with_usage
        self._with_logprobs = with_logprobs
        self._head: dict[str, Any] = {}

    def feed(self, event: StreamEvent) -> list[bytes]:
        """The SSE frames that say `event`."""
        match event:
            case Started():
                self._head = _head(event, "chat.completion.chunk")
                role = {"role": "assistant", "content": "", "refusal": None}
                return [self._chunk(role)]
            case TextPiece():
                scores = event.scores if self._with_logprobs else None
                return [self._chunk({"content": event.text}, scores)]
            case Ping():
                return [sse.comment("ping")]
            case Ended():
                return self._last(event)
        return [sse.encode(to_json(error_body(event.problem))), _done()]

    def _last(self, event: Ended) -> list[bytes]:
        found = [self._chunk({}, finish=FINISH_REASONS[event.finish])]
        if self._with_usage:
            tail = {**self._head, "choices": [], "usage": _usage(event.usage)}
            found.append(sse.encode(to_json(tail)))
        return [*found, _done()]

    def _chunk(
        self,
        delta: dict[str, str | None],
        scores: Sequence[TokenScore] | None = None,
        finish: str | None = None,
    ) -> bytes:
        choice = {
            "index": 0,
            "delta": delta,
            "logprobs": None if scores is None else _logprobs(scores),
            "finish_reason": finish,
        }
        usage = {"usage": None} if self._with_usage else {}
        return sse.encode(to_json({**self._head, "choices": [choice], **usage}))


def frames(
    events: Iterable[StreamEvent],
    *,
    with_usage: bool = False,
    with_logprobs: bool = False,
) -> Iterator[bytes]:
    """All frames of a whole run."""
    encoder = OpenAIFrames(with_usage=with_usage, with_logprobs=with_logprobs)
    for event in events:
        yield from encoder.feed(event)


def completion(
    started: Started,
    pieces: Sequence[TextPiece],
    ended: Ended,
    *,
    with_logprobs: bool = False,
) -> dict[str, Any]:
    """The body of an answer that is not streamed."""
    scores = [score for piece in pieces for score in piece.scores]
    text = "".join(piece.text for piece in pieces)
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text, "refusal": None},
        "logprobs": _logprobs(scores) if with_logprobs else None,
        "finish_reason": FINISH_REASONS[ended.finish],
    }
    head = _head(started, "chat.completion")
    return {**head, "choices": [choice], "usage": _usage(ended.usage)}


def error_body(problem: Problem) -> dict[str, Any]:
    """The JSON of a refusal; all four fields are there, absent values are null."""
    fields = {"message": problem.short_message, "type": str(problem.kind)}
    return {"error": {**fields, "param": problem.param, "code": problem.code}}


def model_card(name: str, created_unix: int) -> dict[str, Any]:
    """One entry of GET /v1/models."""
    return {
        "id": name,
        "object": "model",
        "created": created_unix,
        "owned_by": "labkit",
    }


def model_list(names: Iterable[str], created_unix: int) -> dict[str, Any]:
    """The body of GET /v1/models."""
    cards = [model_card(name, created_unix) for name in names]
    return {"object": "list", "data": cards}


def _done() -> bytes:
    return sse.encode("[DONE]")


def _head(started: Started, kind: str) -> dict[str, Any]:
    return {
        "id": started.request_id,
        "object": kind,
        "created": started.created_unix,
        "model": started.model,
    }


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def _logprobs(scores: Iterable[TokenScore]) -> dict[str, Any]:
    content = [
        {**_entry(score), "top_logprobs": [_entry(top) for top in score.top]}
        for score in scores
    ]
    return {"content": content, "refusal": None}


def _entry(score: TokenScore) -> dict[str, Any]:
    value = score.logprob if math.isfinite(score.logprob) else VERY_UNLIKELY
    raw = None if score.raw is None else list(score.raw)
    return {"token": score.text, "logprob": value, "bytes": raw}
