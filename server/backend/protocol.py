"""What the pipeline asks of whatever computes tokens, and the runs it gets back.

Refuses to know an engine: a backend may embed one or forward to another server. A run's
steps come out in order, and after the last one nothing more does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from labkit.dialects.events import ApiError, Kind, Ping, Problem
from labkit.errors import LabError
from labkit.records import EngineCounts
from labkit.sequence import SamplingParams
from server.outcomes import Advance

__all__ = ["Backend", "BackendState", "BackendStatus", "Run", "Served", "not_ready"]

Item = Advance | Ping | LabError | None  # a step, a ping, an error, None for the end
Letter = tuple[asyncio.Queue[Item], Item]


class BackendState(StrEnum):
    """Whether a backend can take requests."""

    LOADING = "loading"
    READY = "ok"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class BackendStatus:
    """What a backend says of itself; `counts` is None until it is ready."""

    state: BackendState
    detail: str = ""
    counts: EngineCounts | None = None


@dataclass(frozen=True, slots=True)
class Served:
    """The model that a backend serves."""

    name: str
    device: str
    max_context: int  # tokens, prompt and answer together


class Run:
    """One admitted request's steps, on their way from the engine.

    The iteration ends early when the run is aborted and raises when the engine failed.
    At most `max_tokens` steps are ever waiting in it.
    """

    def __init__(self, request: str) -> None:
        self.request = request
        self._loop = asyncio.get_running_loop()
        self._inbox: asyncio.Queue[Item] = asyncio.Queue()

    def put(self, item: Item) -> None:
        """From any thread: a step, an error, or None for the end."""
        self.put_all([(self, item)])

    @staticmethod
    def put_all(items: Sequence[tuple[Run, Item]]) -> None:
        """The same for several runs: their loop is woken once, not once for each."""
        by_loop: dict[asyncio.AbstractEventLoop, list[Letter]] = {}
        for run, item in items:
            by_loop.setdefault(run._loop, []).append((run._inbox, item))
        for loop, letters in by_loop.items():
            if loop is _here():
                _deliver(letters)
                continue
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                loop.call_soon_threadsafe(_deliver, letters)

    def put_ping(self) -> None:
        """Called from the event loop: nothing has gone out for a while."""
        self._inbox.put_nowait(Ping())

    async def next(self) -> Advance | Ping | None:
        """The next step or ping; None after an abort."""
        item = await self._inbox.get()
        if isinstance(item, LabError):
            raise item
        return item


def _here() -> asyncio.AbstractEventLoop | None:
    """The loop that runs in this thread."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _deliver(letters: Sequence[Letter]) -> None:
    for inbox, item in letters:
        inbox.put_nowait(item)


class Backend(Protocol):
    """What the pipeline asks of whatever computes tokens."""

    def start(self) -> None:
        """Begin loading; returns at once."""
        ...

    def close(self, wait_s: float) -> None:
        """Abort all runs and wait at most `wait_s` for the thread to end."""
        ...

    def status(self) -> BackendStatus:
        """State and counts; never blocks."""
        ...

    def served(self) -> Served:
        """The model; `ApiError` 503 while there is none."""
        ...

    def render(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The prompt's text."""
        ...

    def encode(self, prompt: str) -> list[int]:
        """The prompt's token ids; control tokens spelled out in it count as such."""
        ...

    def token(self, token_id: int) -> tuple[str, bytes | None]:
        """A token's text and bytes; a control token has a name and no bytes."""
        ...

    async def submit(
        self, request: str, prompt_ids: Sequence[int], params: SamplingParams
    ) -> Run:
        """Queue a request; raises `QueueFull` or `NeverFits`."""
        ...

    def abort(self, request: str) -> None:
        """End a run before the next step; an unknown id is ignored."""
        ...


def not_ready(status: BackendStatus) -> ApiError:
    """503 for a backend that cannot take requests; while loading, come back soon."""
    is_loading = status.state is BackendState.LOADING
    problem = Problem(
        503,
        f"the model is not ready: {status.detail}",
        Kind.SERVER,
        code="model_loading" if is_loading else "model_unavailable",
        retry_after_s=1.0 if is_loading else None,
    )
    return ApiError(problem)
