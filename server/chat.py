"""The server's neutral words: one request in, typed events out.

Every wire dialect is translated to and from these records at the edge, so nothing here
knows JSON, HTTP or a vendor. A run's events are one `Started`, then pieces and pings,
then exactly one `Ended` or `Failed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from labkit.records import TokenEvent, Usage
from labkit.sequence import FinishReason, SamplingParams
from server.errors import Problem

__all__ = [
    "Advance",
    "ChatRequest",
    "Ended",
    "Failed",
    "Message",
    "Outcome",
    "Ping",
    "Role",
    "Started",
    "StreamEvent",
    "TextPiece",
    "TokenScore",
]


class Role(StrEnum):
    """Who speaks in a message, as chat templates know it."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class Outcome(StrEnum):
    """How a run ended; the closed set of labels that are counted."""

    FINISHED = "finished"
    CANCELLED = "cancelled"
    LEASE_EXPIRED = "lease_expired"
    CLIENT_CLOSED = "client_closed"
    REFUSED = "refused"
    FAILED = "failed"


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
class Advance:
    """What one engine step did for one request; the four stamps are in order."""

    step: int
    start: int  # position of the first token computed
    num_tokens: int  # tokens computed
    started_s: float
    computed_s: float  # logits are there
    sampled_s: float  # tokens are chosen
    ended_s: float  # text is decoded
    events: tuple[TokenEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class Started:
    """The engine took the request: nothing after this changes the HTTP status."""

    run: str
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
    """Nothing was sent for a while, yet the run is alive."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The run is over; the usage is final."""

    finish: FinishReason
    usage: Usage
    stop_sequence: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The run broke after it had started; the problem goes out mid-stream."""

    problem: Problem


StreamEvent = Started | TextPiece | Ping | Ended | Failed
