"""Owns an engine: obeys commands between two steps and tells what each step did.

It knows no event loop and no socket, so that it may run in a thread or in a process of
its own. A run that is left is aborted before the next step, so its blocks are free one
step later at most; whatever goes wrong, the last news is `Over`.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.dialects.events import ApiError, Kind, Problem
from labkit.errors import LabError
from labkit.records import StepReport, TokenEvent
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
    Stop,
)
from server.backend.protocol import BackendState, Served
from server.errors import problem_of
from server.outcomes import Advance
from server.settings import Settings

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

__all__ = ["Worker", "advances", "load_engine"]

MAX_FAILURES = 3  # an engine that fails this often in a row is given up
STEP_FAILED = "the engine failed on a step; try again"


class Worker:
    """`run` in one thread, which alone touches the engine; `put` from any."""

    def __init__(
        self, load: Callable[[], Engine], tell: Callable[[News], None]
    ) -> None:
        self._load = load
        self._tell = tell
        self._inbox: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._runs: set[str] = set()
        self._num_failures = 0  # steps that raised, one after another
        self._is_stopped = False

    def put(self, command: Command) -> None:
        """Have `command` carried out before the next step."""
        self._inbox.put(command)

    def run(self) -> None:
        """Load, then serve until stopped."""
        try:
            engine = self._load()
        except Exception as error:  # told to whoever asks
            detail = str(error) if isinstance(error, LabError) else repr(error)
            self._tell(Over(BackendState.FAILED, detail))
            return
        try:
            self._tell(loaded(engine))
            self._serve(engine)
        except Exception as error:  # the engine cannot even abort: it is beyond help
            self._tell(Over(BackendState.FAILED, f"engine: {error!r}"))
        else:
            self._tell(Over(BackendState.CLOSED, "the server is stopping"))

    def _serve(self, engine: Engine) -> None:
        while not self._is_stopped:
            if engine.has_work and self._inbox.empty():
                self._step(engine)
            else:
                self._obey(engine, self._inbox.get())
        for request in self._runs:
            engine.abort(request)

    def _obey(self, engine: Engine, command: Command) -> None:
        match command:
            case Add():
                self._add(engine, command)
            case Abort():
                self._drop(engine, command.request, None)
            case Stop():
                self._is_stopped = True

    def _add(self, engine: Engine, asked: Add) -> None:
        try:
            engine.add(asked.prompt_ids, asked.params, request=asked.request)
        except LabError as error:
            self._tell(Refused(asked.request, error))
        except Exception as error:
            problem = problem_of(error, asked.request)
            self._tell(Refused(asked.request, ApiError(problem)))
        else:
            self._runs.add(asked.request)
            self._tell(Admitted(asked.request, engine.counts()))

    def _step(self, engine: Engine) -> None:
        try:
            report = engine.step()
        except Exception:  # every run of the batch is told, the worker goes on
            logging.getLogger(__name__).exception("the engine failed on a step")
            problem = Problem(500, STEP_FAILED, Kind.SERVER, code="engine_error")
            for request in list(self._runs):
                self._drop(engine, request, ApiError(problem))
            self._num_failures += 1
            if self._num_failures > MAX_FAILURES:
                raise
        else:
            if report.scheduled:  # it has computed something
                self._num_failures = 0
            self._runs -= {e.request for e in report.emitted if e.finish is not None}
            self._tell(Stepped(advances(report), engine.counts()))

    def _drop(self, engine: Engine, request: str, error: LabError | None) -> None:
        if request in self._runs:
            self._runs.remove(request)
            engine.abort(request)
            self._tell(Dropped(request, error, engine.counts()))


def loaded(engine: Engine) -> Loaded:
    """What the server must know of an engine that is ready."""
    max_context = engine.config.max_context
    assert max_context is not None, "an engine resolves its config"
    served = Served(engine.model_name, str(engine.device), max_context)
    return Loaded(served, engine.model.tokenizer, engine.counts())


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
