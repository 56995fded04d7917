"""The server's side of a worker: what it said last, and the runs that wait for more.

A `Backend` but for `start` and `close`: how commands reach the worker, and who calls
`hear`, is what thread and process differ in. A submit is answered whatever happens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import cached_property

from labkit.errors import LabError
from labkit.records import EngineCounts
from labkit.sequence import SamplingParams
from labkit.text.template import ChatTemplate
from labkit.text.tokenizer import Tokenizer
from server.backend.messages import (
    Abort,
    Add,
    Admitted,
    Command,
    Dropped,
    Loaded,
    News,
    Over,
    Refused,
    Stepped,
)
from server.backend.protocol import BackendState, BackendStatus, Run, Served, not_ready

__all__ = ["Front"]


class Front:
    """Its methods are the event loop's; `hear` may be called from another thread."""

    def __init__(self) -> None:
        self._state, self._detail = BackendState.LOADING, "the model is being loaded"
        self._counts: EngineCounts | None = None
        self._loaded: Loaded | None = None
        self._tokenizer: Tokenizer | None = None
        self._runs: dict[str, Run] = {}
        self._asked: dict[str, Future[None]] = {}  # submits without an answer

    def _command(self, command: Command) -> None:
        """Get `command` to the worker; one that is gone need not be told."""
        raise NotImplementedError

    def status(self) -> BackendStatus:
        """State and counts as of the last news."""
        return BackendStatus(self._state, self._detail, self._counts)

    def served(self) -> Served:
        """The model's name and limits."""
        return self._ready().served

    def render(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The model's chat template, filled."""
        self._ready()
        return self._template.render(messages)

    def encode(self, prompt: str) -> list[int]:
        """Token ids of a rendered prompt."""
        return self._spelling().encode(prompt, allow_special=True)

    def token(self, token_id: int) -> tuple[str, bytes | None]:
        """Text and bytes of one token."""
        tokenizer = self._spelling()
        if tokenizer.is_special(token_id):
            return tokenizer.label(token_id), None
        raw = tokenizer.token_bytes(token_id)
        return raw.decode("utf-8", "replace"), raw

    async def submit(
        self, request: str, prompt_ids: Sequence[int], params: SamplingParams
    ) -> Run:
        """Hand the request to the worker; the engine's refusal is raised here."""
        run, admitted = Run(request), Future[None]()
        self._runs[request], self._asked[request] = run, admitted
        try:
            self._ready()  # asked now that `Over` would find the two
        except LabError:
            self._runs.pop(request, None), self._asked.pop(request, None)
            raise
        self._command(Add(request, tuple(prompt_ids), params))
        try:
            await asyncio.wrap_future(admitted)
        except asyncio.CancelledError:
            self.abort(request)
            raise
        return run

    def abort(self, request: str) -> None:
        """Ask the worker to end a run before its next step."""
        if request in self._runs:
            self._command(Abort(request))

    def hear(self, news: News) -> None:
        """Take in what the worker says: the counts first, then to whom it matters."""
        match news:
            case Loaded():
                self._tokenizer = Tokenizer.from_spec(news.tokenizer)
                self._loaded = news
                self._state, self._detail = BackendState.READY, ""
                self._counts = news.counts
            case Admitted():
                self._counts = news.counts
                self._answer(news.request, None)
            case Refused():
                self._runs.pop(news.request, None)
                self._answer(news.request, news.error)
            case Stepped():
                self._counts = news.counts
                self._hand_over(news)
            case Dropped():
                self._counts = news.counts
                if (run := self._runs.pop(news.request, None)) is not None:
                    run.put(news.error)
            case Over():
                self._end(news)

    def _ready(self) -> Loaded:
        if self._loaded is not None and self._state is BackendState.READY:
            return self._loaded
        raise not_ready(self.status())

    @cached_property
    def _template(self) -> ChatTemplate:
        ready, tokenizer = self._ready(), self._spelling()
        return ChatTemplate.from_spec(ready.tokenizer, tokenizer, ready.served.name)

    def _spelling(self) -> Tokenizer:
        self._ready()
        assert self._tokenizer is not None, "it came with the news of being ready"
        return self._tokenizer

    def _answer(self, request: str, error: LabError | None) -> None:
        """To the submit that waits; the one that was cancelled has aborted it."""
        asked = self._asked.pop(request, None)
        if asked is None or not asked.set_running_or_notify_cancel():
            return
        if error is None:
            asked.set_result(None)
        else:
            asked.set_exception(error)

    def _hand_over(self, step: Stepped) -> None:
        """A step's parts to their runs; those that have ended with it are let go."""
        parts = step.parts.items()
        Run.put_all([(self._runs[r], part) for r, part in parts if r in self._runs])
        for request, part in parts:
            if any(event.finish is not None for event in part.events):
                self._runs.pop(request, None)

    def _end(self, over: Over) -> None:
        """The last words: whoever still waits for the engine hears why it is gone."""
        if self._state in (BackendState.FAILED, BackendState.CLOSED):
            return
        self._state, self._detail = over.state, over.detail
        for request in list(self._asked):
            self._answer(request, not_ready(self.status()))
        while self._runs:
            with suppress(KeyError):  # it left at this very moment
                self._runs.popitem()[1].put(not_ready(self.status()))
