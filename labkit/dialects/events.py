"""The neutral side of every wire format: a request, its stream's events, its problems.

Nothing here knows JSON, HTTP or a vendor; the modules beside this one translate to and
from it. The events of one stream are one `Started`, then pieces and pings, then exactly
one `Ended` or `Failed`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from labkit.errors import LabError
from labkit.records import Usage
from labkit.sequence import SamplingParams

__all__ = [
    "MAX_MESSAGE",
    "ApiError",
    "ChatRequest",
    "Ended",
    "Failed",
    "FinishReason",
    "Kind",
    "Meaning",
    "Message",
    "Ping",
    "Problem",
    "Role",
    "Started",
    "StreamEvent",
    "TextPiece",
    "TokenScore",
]

MAX_MESSAGE = 400  # characters; a long input is never echoed whole
MAX_WAIT_S = 120.0  # OpenAI's clients do not wait longer, whatever Retry-After says


class Role(StrEnum):
    """Who speaks in a message, as chat templates know it."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class FinishReason(StrEnum):
    """Why an answer ended, as clients are told; wider than what an engine knows."""

    STOP = "stop"  # the model's end of turn, or a stop string
    LENGTH = "length"  # max_tokens or the context was used up
    CONTENT_FILTER = "content_filter"  # a check held the text back
    TOOL_CALLS = "tool_calls"  # the answer asks for tools to be called
    REFUSAL = "refusal"  # the model declined to answer
    CANCELLED = "cancelled"  # the client, or somebody for it, stopped the request
    ERROR = "error"  # the engine failed on it


class Kind(StrEnum):
    """What sort of problem it is, in OpenAI's words."""

    INVALID = "invalid_request_error"
    RATE_LIMIT = "rate_limit_error"
    SERVER = "server_error"


@dataclass(frozen=True, slots=True)
class Problem:
    """One refusal or failure, in no vendor's shape.

    `should_retry` tells a client what its own rules about statuses do not: False where
    the same request cannot succeed later, None where the status says it all.
    """

    status: int
    message: str
    kind: Kind = Kind.INVALID
    code: str | None = None
    param: str | None = None
    retry_after_s: float | None = None
    should_retry: bool | None = None

    @property
    def short_message(self) -> str:
        """The message, cut to `MAX_MESSAGE` characters."""
        text = self.message
        return text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 1] + "…"

    def headers(self) -> dict[str, str]:
        """Headers that tell a client when to come back and whether to hang up."""
        found: dict[str, str] = {}
        should_retry = self.should_retry
        if self.retry_after_s is not None:
            found["Retry-After"] = str(max(1, math.ceil(self.retry_after_s)))
            found["Retry-After-Ms"] = str(max(1, math.ceil(self.retry_after_s * 1000)))
            if should_retry is None and self.retry_after_s > MAX_WAIT_S:
                should_retry = False
        if should_retry is not None:
            found["X-Should-Retry"] = "true" if should_retry else "false"
        if self.status == 401:
            found["WWW-Authenticate"] = 'Bearer realm="labkit"'
        if self.status in (408, 413):
            found["Connection"] = "close"  # part of the body may still be on its way
        return found


class ApiError(LabError):
    """A refusal that already knows its status, code and field."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem

    def __reduce__(self) -> tuple[type[ApiError], tuple[Problem]]:
        return ApiError, (self.problem,)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of the conversation, text only."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a client wants, whatever dialect it said it in."""

    model: str
    messages: tuple[Message, ...]
    sampling: SamplingParams  # its max_tokens is set when the prompt's length is known
    max_tokens: int | None = None
    is_stream: bool = False
    wants_usage: bool = False  # a usage event in the stream
    wants_logprobs: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    """The engine took the request: nothing after this changes the HTTP status."""

    request_id: str
    model: str
    created_unix: int
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class TokenScore:
    """One token's log-probability beside the alternatives asked for."""

    text: str
    raw: bytes | None  # None for a control token, which stands for no bytes
    logprob: float
    top: tuple[TokenScore, ...] = ()


@dataclass(frozen=True, slots=True)
class TextPiece:
    """Text that can be shown now, and the scores of the tokens that released it."""

    text: str
    scores: tuple[TokenScore, ...] = ()


@dataclass(frozen=True, slots=True)
class Ping:
    """Nothing was sent for a while, yet the request is being answered."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer is over; the usage is final."""

    finish: FinishReason
    usage: Usage
    stop_sequence: str | None = None  # the stop string that was met, if one was


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer broke off after it had started; the problem goes out mid-stream."""

    problem: Problem


StreamEvent = Started | TextPiece | Ping | Ended | Failed


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one event of a stream says, as its reader understands it.

    `kind` is one of role, content, finish, usage, done, error, other, as in
    `StreamChunk`.
    """

    kind: str
    text: str = ""
    finish: str | None = None  # a `FinishReason`, or the stream's own word if unknown
    usage: Usage | None = None
    error: str | None = None  # the message of a failure
    is_object: bool = True  # False: the data is no JSON object
