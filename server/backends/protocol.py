"""The seam between the server and whatever answers: requests go down, outputs come up.

Refuses to know an engine: a backend may run one, or forward to another server. The
outputs of one request come in order. The first says that it was accepted, the last one
carries `finish`, and nothing comes after it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from labkit.dialects.events import ApiError, Kind, Message, Problem
from labkit.records import EngineCounts
from labkit.sequence import SamplingParams
from server.outputs import Observer, Output

__all__ = [
    "Backend",
    "BackendRequest",
    "BackendState",
    "BackendStatus",
    "Served",
    "broken_off",
    "not_ready",
]

RETRY_S = 1.0  # when to ask again while the model is being loaded


class BackendState(StrEnum):
    """Whether a backend can take requests."""

    LOADING = "loading"
    READY = "ok"
    RESTARTING = "restarting"  # the engine died and a new one is being loaded
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class BackendStatus:
    """What a backend says of itself; `counts` is None until it is ready."""

    state: BackendState
    detail: str = ""
    counts: EngineCounts | None = None
    num_restarts: int = 0  # engines that died and were replaced, since the start


@dataclass(frozen=True, slots=True)
class Served:
    """The model that a backend serves."""

    name: str
    device: str
    max_context: int  # tokens, prompt and answer together
    max_token_chars: int | None = None  # length of the longest token; None: not known
    kernels: str | None = None  # what computes the forward pass; None: not known
    template_fault: str | None = None  # why there can be no chat; None: there can


@dataclass(frozen=True, slots=True)
class BackendRequest:
    """One request as a backend takes it."""

    request_id: str
    messages: tuple[Message, ...]
    params: SamplingParams
    max_tokens: int  # at most; the backend cuts it to the room beside the prompt
    salt: str | None = None  # only requests with the same one share cached blocks
    observers: Sequence[Observer] = ()


class Backend(Protocol):
    """What the server asks of whatever answers; called on the event loop."""

    def start(self) -> None:
        """Begin loading; returns at once."""
        ...

    def close(self, wait_s: float) -> None:
        """End all requests and release everything, in `wait_s` at most; any thread."""
        ...

    def status(self) -> BackendStatus:
        """State and counts; never blocks; any thread."""
        ...

    def served(self) -> Served:
        """The model; `ApiError` 503 while there is none."""
        ...

    async def count(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt that the messages make."""
        ...

    def answer(self, request: BackendRequest) -> AsyncGenerator[Output, None]:
        """The outputs of one request; closing the generator ends it in the engine.

        A refusal is raised before the first output, a failure after it. Each output is
        shown to the observers when it is there, which may be before it is read.
        """
        ...

    def abort(self, request_id: str) -> None:
        """Have a request end soon with `cancelled`; an unknown id is ignored."""
        ...


def not_ready(status: BackendStatus) -> ApiError:
    """503 for a backend that cannot take requests; while loading, come back soon."""
    codes = {
        BackendState.LOADING: "model_loading",
        BackendState.RESTARTING: "engine_restarting",
    }
    is_soon = status.state in codes
    problem = Problem(
        503,
        f"the model is not ready: {status.detail}",
        Kind.SERVER,
        code=codes.get(status.state, "model_unavailable"),
        retry_after_s=RETRY_S if is_soon else None,
        should_retry=None if is_soon else False,
    )
    return ApiError(problem)


def broken_off(status: BackendStatus) -> ApiError:
    """What a request hears whose engine has died."""
    if status.state is BackendState.CLOSED:
        return not_ready(status)
    problem = replace(not_ready(status).problem, message=f"no answer: {status.detail}")
    return ApiError(problem)
