"""Owns an engine: carries out commands between two steps and tells what each step did.

It knows no event loop and no socket, so that it may run in a thread or in a process of
its own. Tokens become texts and spelled scores here, so that nothing above needs a
vocabulary. Whatever goes wrong, the last news is `Over`.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.dialects.events import ApiError, FinishReason, TokenScore
from labkit.errors import EngineDead, LabError
from labkit.records import (
    EngineCounts,
    StepReport,
    TokenEvent,
    TokenizerSpec,
    Usage,
)
from labkit.sequence import SamplingParams
from labkit.text.tokenizer import Tokenizer
from server.backends.protocol import Served
from server.backends.served import served_by
from server.errors import problem_of
from server.outputs import Output, StepTiming

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

__all__ = [
    "Abort",
    "Add",
    "Admitted",
    "Command",
    "EngineCore",
    "Loaded",
    "News",
    "Over",
    "Refused",
    "Stepped",
    "Stop",
]

FINISH = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "abort": FinishReason.CANCELLED,
    "error": FinishReason.ERROR,
}


@dataclass(frozen=True, slots=True)
class Add:
    """Queue a request; the answer is `Admitted` or `Refused`."""

    request_id: str
    prompt_ids: tuple[int, ...]
    params: SamplingParams
    salt: str | None = None


@dataclass(frozen=True, slots=True)
class Abort:
    """End a request with the next step; an unknown id is ignored."""

    request_id: str


@dataclass(frozen=True, slots=True)
class Stop:
    """End all requests, then end."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The engine is ready; `tokenizer` lets the other side make prompts."""

    served: Served
    tokenizer: TokenizerSpec
    counts: EngineCounts


@dataclass(frozen=True, slots=True)
class Admitted:
    """The engine has taken a request."""

    request_id: str
    counts: EngineCounts


@dataclass(frozen=True, slots=True)
class Refused:
    """The engine has not taken a request."""

    request_id: str
    error: LabError


@dataclass(frozen=True, slots=True)
class Stepped:
    """A step is done: what it has to say about each request, in order."""

    outputs: tuple[tuple[str, Output], ...]
    counts: EngineCounts


@dataclass(frozen=True, slots=True)
class Over:
    """There is no engine any more, or there never was one; nothing follows."""

    detail: str
    can_restart: bool  # False: it was told to end, or another one would fail as well


Command = Add | Abort | Stop
News = Loaded | Admitted | Refused | Stepped | Over


class EngineCore:
    """`run` in one thread, which alone touches the engine; `put` from any."""

    def __init__(
        self, load: Callable[[], Engine], tell: Callable[[News], object]
    ) -> None:
        self._load = load
        self._tell = tell
        self._inbox: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._open: dict[str, _Answer] = {}
        self._is_stopped = False

    def put(self, command: Command) -> None:
        """Have `command` carried out before the next step."""
        self._inbox.put(command)

    def run(self) -> None:
        """Load, then serve until stopped."""
        try:
            engine = self._load()
            spec = engine.model.tokenizer
            self._tell(Loaded(served_by(engine), spec, engine.counts()))
        except Exception as error:  # told to whoever asks
            detail = str(error) if isinstance(error, LabError) else repr(error)
            self._tell(Over(detail, can_restart=False))
            return
        try:
            self._serve(engine)
        except Exception as error:  # another engine may do better
            logging.getLogger(__name__).exception("the engine is given up")
            self._tell(Over(f"the engine failed: {error}", can_restart=True))
        else:
            self._tell(Over("the server is stopping", can_restart=False))

    def _serve(self, engine: Engine) -> None:
        while not self._is_stopped:
            if self._inbox.empty() and engine.has_work:
                self._step(engine)
            else:
                self._obey(engine, self._inbox.get())
        for request_id in self._open:
            engine.abort(request_id)

    def _obey(self, engine: Engine, command: Command) -> None:
        match command:
            case Add():
                self._add(engine, command)
            case Abort():
                engine.abort(command.request_id)
            case Stop():
                self._is_stopped = True

    def _add(self, engine: Engine, asked: Add) -> None:
        name, params = asked.request_id, asked.params
        try:
            engine.add(asked.prompt_ids, params, request=name, salt=asked.salt)
        except LabError as error:
            self._tell(Refused(name, error))
        except Exception as error:
            self._tell(Refused(name, ApiError(problem_of(error, name))))
        else:
            with_scores = params.top_logprobs is not None
            tokenizer = engine.tokenizer if with_scores else None
            self._open[name] = _Answer(len(asked.prompt_ids), tokenizer)
            self._tell(Admitted(name, engine.counts()))

    def _step(self, engine: Engine) -> None:
        report = engine.step()
        blocks = report.blocks
        counts = EngineCounts(
            free_blocks=blocks.free + blocks.cached,
            total_blocks=blocks.total,
            num_running=report.num_running,
            num_waiting=report.num_waiting,
            max_waiting=engine.config.max_waiting,
        )
        self._tell(Stepped(tuple(self._outputs(report)), counts))
        if engine.is_dead:
            raise EngineDead(
                f"{engine.num_failed_steps} steps in a row: {report.error}"
            )

    def _outputs(self, report: StepReport) -> list[tuple[str, Output]]:
        """What the step has to say: each token, and each part of a prompt without."""
        timing = StepTiming(
            report.index,
            report.started_s,
            report.computed_s,
            report.sampled_s,
            report.ended_s,
        )
        found, heard_of = [], set()
        for event in report.emitted:
            heard_of.add(event.request)
            if (answer := self._open.get(event.request)) is not None:
                found.append((event.request, answer.output(event, timing)))
                if event.finish is not None:
                    del self._open[event.request]
        for part in report.scheduled:
            answer = self._open.get(part.request)
            if answer is not None and part.request not in heard_of:
                found.append((part.request, answer.progress(part.start, timing)))
        return found


class _Answer:
    """One open request's numbers, and the scores whose text is still held back."""

    def __init__(self, prompt_tokens: int, tokenizer: Tokenizer | None) -> None:
        self._prompt_tokens = prompt_tokens
        self._cached_tokens: int | None = None  # known with the first step
        self._completion_tokens = 0
        self._tokenizer = tokenizer  # None: no scores are wanted
        self._unsaid: list[TokenScore] = []

    def progress(self, start: int, timing: StepTiming) -> Output:
        """The output for a part of the prompt, or of what is computed once more."""
        if self._cached_tokens is None:
            self._cached_tokens = start
        done, cached = self._completion_tokens, self._cached_tokens
        return Output(Usage(self._prompt_tokens, done, cached), timing=timing)

    def output(self, event: TokenEvent, timing: StepTiming) -> Output:
        """The output for one of the engine's events."""
        finish, scores = event.finish, tuple[TokenScore, ...]()
        if event.is_counted and (token_id := event.token_id) is not None:
            self._completion_tokens += 1
            if (words := self._tokenizer) is not None:
                top = tuple(_spelled(words, *other) for other in event.top)
                self._unsaid.append(_spelled(words, token_id, event.logprob, top))
        if self._unsaid and (event.text or finish is not None):
            scores, self._unsaid = tuple(self._unsaid), []
        return Output(
            Usage(self._prompt_tokens, self._completion_tokens, event.num_cached),
            event.text,
            scores,
            None if event.token_id is None else event.index,
            event.time_s,
            None if finish is None else FINISH[finish],
            event.stop,
            timing,
        )


def _spelled(
    tokenizer: Tokenizer,
    token_id: int,
    logprob: float | None,
    top: tuple[TokenScore, ...] = (),
) -> TokenScore:
    """One token's text, bytes and log-probability; a control token has no bytes."""
    value = float("-inf") if logprob is None else logprob
    if tokenizer.is_special(token_id):
        return TokenScore(tokenizer.label(token_id), None, value, top)
    raw = tokenizer.token_bytes(token_id)
    return TokenScore(raw.decode("utf-8", "replace"), raw, value, top)
