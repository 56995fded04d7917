"""OpenAI's chat completions: events to JSON, streamed and whole, and streams read back.

Frames are `data:` lines of ASCII JSON and `: ping` comments, never an `event:` line. A
stream is role chunk, content deltas, one finish chunk, a usage chunk if it was asked
for, `[DONE]`; id, created and model are the same in every chunk. The reader never
raises, whatever it is given.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from labkit.dialects.events import (
    Ended,
    FinishReason,
    Kind,
    Meaning,
    Ping,
    Problem,
    Started,
    StreamEvent,
    TextPiece,
    TokenScore,
)
from labkit.dialects.wire import (
    count_of,
    from_json,
    mapping_of,
    quoted,
    text_of,
    to_json,
)
from labkit.records import Usage

__all__ = [
    "OpenAIFrames",
    "OpenAIReader",
    "completion",
    "error_body",
    "frames",
    "model_card",
    "model_list",
    "read_error",
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
READ_AS: Final[Mapping[str, FinishReason]] = MappingProxyType(
    {
        "function_call": FinishReason.TOOL_CALLS,  # before there were tools
        **{word: reason for reason, word in FINISH_REASONS.items()},
        "content_filter": FinishReason.CONTENT_FILTER,
    }
)
VERY_UNLIKELY = -9999.0  # what OpenAI's API writes where a log-probability has no value
FIRST: Final = (None, 0)  # what index the only answer may have
DONE: Final = "[DONE]"
DONE_FRAME: Final = b"data: [DONE]\n\n"
PING_FRAME: Final = b": ping\n\n"


class OpenAIFrames:
    """One stream's encoder; `feed` each event in order.

    Most of a chunk is the same in the whole stream, so it is written once.
    """

    def __init__(
        self, *, with_usage: bool = False, with_logprobs: bool = False
    ) -> None:
        self._with_usage = with_usage
        self._with_logprobs = with_logprobs
        self._head = self._before_text = ""
        self._end = ',"usage":null}\n\n' if with_usage else "}\n\n"
        self._after_text = f'}},"logprobs":null,"finish_reason":null}}]{self._end}'

    def feed(self, event: StreamEvent) -> list[bytes]:
        """The SSE frames that say `event`."""
        if isinstance(event, TextPiece):
            if self._with_logprobs:
                return [self._scored(event)]
            text = self._before_text + quoted(event.text) + self._after_text
            return [text.encode("ascii")]
        match event:
            case Started():
                return [self._first(event)]
            case Ping():
                return [PING_FRAME]
            case Ended():
                return self._last(event)
        return [_frame(to_json(error_body(event.problem))), DONE_FRAME]

    def _first(self, event: Started) -> bytes:
        self._head = "data: " + to_json(_head(event, "chat.completion.chunk"))[:-1]
        start = f'{self._head},"choices":[{{"index":0,"delta":'
        self._before_text = start + '{"content":'
        role = '{"role":"assistant","content":"","refusal":null'
        return (start + role + self._after_text).encode("ascii")

    def _scored(self, event: TextPiece) -> bytes:
        scores = to_json(_logprobs(event.scores))
        rest = f'}},"logprobs":{scores},"finish_reason":null}}]{self._end}'
        return (self._before_text + quoted(event.text) + rest).encode("ascii")

    def _last(self, event: Ended) -> list[bytes]:
        reason = quoted(FINISH_REASONS[event.finish])
        choice = f'{{"index":0,"delta":{{}},"logprobs":null,"finish_reason":{reason}}}'
        found = [f'{self._head},"choices":[{choice}]{self._end}'.encode("ascii")]
        if self._with_usage:
            usage = to_json(_usage(event.usage))
            tail = f'{self._head},"choices":[],"usage":{usage}}}\n\n'
            found.append(tail.encode("ascii"))
        return [*found, DONE_FRAME]


def frames(
    events: Iterable[StreamEvent],
    *,
    with_usage: bool = False,
    with_logprobs: bool = False,
) -> Iterator[bytes]:
    """All frames of a whole stream."""
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


def read_error(status: int, body: bytes) -> Problem | None:
    """What the body of a refusal says; None where it has not this shape."""
    value = from_json(body.decode("utf-8", "replace"))
    error = mapping_of((value or {}).get("error"))
    message = text_of(error.get("message"))
    if message is None:
        return None
    kind = error.get("type")
    return Problem(
        status,
        message,
        Kind(kind) if kind in list(Kind) else Kind.SERVER,
        code=text_of(error.get("code")),
        param=text_of(error.get("param")),
    )


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


class OpenAIReader:
    """Reads a stream back: one event's data in, what it says out."""

    def read(self, data: str) -> Meaning:
        """What one event says of the answer number 0."""
        if data == DONE:
            return Meaning("done")
        value = from_json(data)
        if value is None:
            return Meaning("other", is_object=False)
        if value.get("error") is not None:
            return Meaning("error", error=_message(value["error"]))
        told = value.get("usage")
        usage = _read_usage(told) if isinstance(told, dict) else None
        choice = _first_choice(value.get("choices"))
        delta = choice.get("delta")
        delta = delta if isinstance(delta, dict) else {}
        text = text_of(delta.get("content"))
        if (word := choice.get("finish_reason")) and (finish := text_of(word)):
            finish = READ_AS.get(finish, finish)
            return Meaning("finish", text or "", finish, usage)
        if text:
            return Meaning("content", text, usage=usage)
        if text_of(delta.get("role")):
            return Meaning("role", usage=usage)
        kind = "content" if text is not None else "usage" if usage else "other"
        return Meaning(kind, usage=usage)


def _first_choice(choices: object) -> Mapping[str, Any]:
    """The choice with index 0; an answer asked for with `n` has others beside it."""
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and choice.get("index") in FIRST:
            return choice
    return {}


def _message(error: object) -> str:
    said = error if isinstance(error, str) else mapping_of(error).get("message")
    return text_of(said) or "the server reported an error"


def _read_usage(found: Mapping[str, Any]) -> Usage | None:
    """Both counts have to be there; without the details nothing was cached."""
    prompt = count_of(found.get("prompt_tokens"))
    completion = count_of(found.get("completion_tokens"))
    if prompt is None or completion is None:
        return None
    details = mapping_of(found.get("prompt_tokens_details"))
    return Usage(prompt, completion, count_of(details.get("cached_tokens")) or 0)


def _frame(data: str) -> bytes:
    return f"data: {data}\n\n".encode("ascii")


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
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
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
