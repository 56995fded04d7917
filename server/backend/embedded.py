"""The engine in a thread of its own: the only door from the server to it.

One thread owns the engine. Commands cross to it by a queue and run between two steps;
what a step did crosses back to each run's own queue. A run that is left is aborted
before the next step, so its blocks are free one step later at most.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.errors import LabError
from labkit.records import StepReport, TokenEvent
from labkit.sequence import SamplingParams
from server.backend.protocol import BackendState, BackendStatus, Run, Served, not_ready
from server.chat import Advance
from server.errors import ApiError, Kind, Problem
from server.settings import Settings

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

__all__ = ["EmbeddedEngine", "advances", "load_engine"]

MAX_FAILURES = 3  # an engine that fails this often in a row is given up
Command = Callable[["Engine | None"], None]  # None: there is no engine any more


class EmbeddedEngine:
    """A `Backend` that owns an engine and the one thread which may touch it."""

    def __init__(self, load: Callable[[], Engine]) -> None:
        self._load = load
        self._engine: Engine | None = None  # set once, by the thread
        self._status = BackendStatus(BackendState.LOADING, "the model is being loaded")
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._runs: dict[str, Run] = {}  # the thread's own
        self._num_failures = 0  # steps that raised, one after another
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._main, name="engine", daemon=True)

    def start(self) -> None:
        """Start the thread, which loads the model first."""
        self._thread.start()

    def close(self, wait_s: float) -> None:
        """Abort all runs, stop the thread, wait at most `wait_s`."""
        self._is_closing.set()
        self._commands.put(lambda _engine: None)  # wake it
        if self._thread.ident is not None:
            self._thread.join(wait_s)

    def status(self) -> BackendStatus:
        """State and counts as of the last step."""
        return self._status

    def served(self) -> Served:
        """The model's name and limits."""
        engine = self._ready()
        max_context = engine.config.max_context
        assert max_context is not None, "an engine resolves its config"
        return Served(engine.model_name, str(engine.device), max_context)

    def render(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The model's chat template, filled."""
        return self._ready().template.render(messages)

    def encode(self, prompt: str) -> list[int]:
        """Token ids of a rendered prompt."""
        return self._ready().tokenizer.encode(prompt, allow_special=True)

    def token(self, token_id: int) -> tuple[str, bytes | None]:
        """Text and bytes of one token."""
        tokenizer = self._ready().tokenizer
        if tokenizer.is_special(token_id):
            return tokenizer.label(token_id), None
        raw = tokenizer.token_bytes(token_id)
        return raw.decode("utf-8", "replace"), raw

    async def submit(
        self, request: str, prompt_ids: Sequence[int], params: SamplingParams
    ) -> Run:
        """Hand the request to the thread; the engine's refusal is raised here."""
        self._ready()
        run, admitted = Run(request), Future[None]()

        def add(engine: Engine | None) -> None:
            if not admitted.set_running_or_notify_cancel():
                return  # the caller left before the engine had looked
            try:
                if engine is None:
                    raise not_ready(self._status)
                engine.add(list(prompt_ids), params, request=request)
            except Exception as error:  # the engine's answer belongs to this caller
                admitted.set_exception(error)
            else:
                self._runs[request] = run
                self._publish(engine)
                admitted.set_result(None)

        self._commands.put(add)
        try:
            await asyncio.wrap_future(admitted)
        except asyncio.CancelledError:
            self.abort(request)
            raise
        return run

    def abort(self, request: str) -> None:
        """Ask the thread to end a run before its next step."""

        def drop(engine: Engine | None) -> None:
            if engine is not None:
                self._drop(engine, request, None)

        self._commands.put(drop)

    def _ready(self) -> Engine:
        if self._engine is not None and self._status.state is BackendState.READY:
            return self._engine
        raise not_ready(self._status)

    def _main(self) -> None:
        """The thread: load, then serve until closed."""
        try:
            engine = self._load()
        except Exception as error:  # told to whoever asks; the server stays up
            detail = str(error) if isinstance(error, LabError) else repr(error)
            self._status = BackendStatus(BackendState.FAILED, detail)
            return
        self._engine = engine
        self._status = BackendStatus(BackendState.READY)
        self._publish(engine)
        try:
            while not self._is_closing.is_set():
                self._obey(engine)
                if engine.has_work:
                    self._step(engine)
            self._status = BackendStatus(BackendState.CLOSED, "the server is stopping")
            self._drop_all(engine, not_ready(self._status))
        except Exception as error:  # the engine cannot even abort: it is beyond help
            self._status = BackendStatus(BackendState.FAILED, f"engine: {error!r}")
        self._tell_all(not_ready(self._status))

    def _publish(self, engine: Engine) -> None:
        """Show the counts of this moment, before anybody hears what led to them."""
        self._status = replace(self._status, counts=engine.counts())

    def _obey(self, engine: Engine) -> None:
        """Run the commands that wait; wait for one where nothing is to be computed."""
        if not engine.has_work and not self._is_closing.is_set():
            self._commands.get()(engine)
        while not self._commands.empty():
            self._commands.get()(engine)

    def _step(self, engine: Engine) -> None:
        try:
            report = engine.step()
        except Exception:  # every run of the batch is told, the thread goes on
            logging.getLogger(__name__).exception("the engine failed on a step")
            text = "the engine failed on a step; try again"
            problem = Problem(500, text, Kind.SERVER, code="engine_error")
            self._drop_all(engine, ApiError(problem))
            self._num_failures += 1
            if self._num_failures > MAX_FAILURES:
                raise
        else:
            if report.scheduled:  # it has computed something
                self._num_failures = 0
            self._publish(engine)
            self._hand_over(advances(report))

    def _hand_over(self, parts: Mapping[str, Advance]) -> None:
        """A step's parts to their runs; those that have ended with it are let go."""
        Run.put_all([(self._runs[r], a) for r, a in parts.items() if r in self._runs])
        for request, advance in parts.items():
            if any(event.finish is not None for event in advance.events):
                self._runs.pop(request, None)

    def _tell_all(self, error: LabError) -> None:
        """The last words: whoever still waits for the engine hears why it is gone."""
        while not self._commands.empty():
            self._commands.get()(None)
        for run in self._runs.values():
            run.put(error)

    def _drop_all(self, engine: Engine, error: LabError) -> None:
        for request in list(self._runs):
            self._drop(engine, request, error)

    def _drop(self, engine: Engine, request: str, error: LabError | None) -> None:
        run = self._runs.pop(request, None)
        if run is not None:
            engine.abort(request)
            self._publish(engine)
            run.put(error)


def advances(report: StepReport) -> dict[str, Advance]:
    """A step's report, cut into each request's part."""
    found: dict[str, Advance] = {}
    emitted: dict[str, list[TokenEvent]] = {}
    for event in report.emitted:
        emitted.setdefault(event.request, []).append(event)
    for part in report.scheduled:
        found[part.request] = Advance(
            step=report.index,
            start=part.start,
            num_tokens=part.num_tokens,
            started_s=report.started_s,
            computed_s=report.computed_s,
            sampled_s=report.sampled_s,
            ended_s=report.ended_s,
            events=tuple(emitted.get(part.request, ())),
        )
    return found


def load_engine(settings: Settings) -> Engine:
    """Load the model that the settings name; takes seconds."""
    from labkit.engine import load  # noqa: PLC0415  # torch, after the port is bound

    path = Path(settings.model) if settings.model else None
    return load(path, device=settings.device, config=settings.engine())
