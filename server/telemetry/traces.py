"""Records each request's trace while it is answered, and keeps the newest ones.

The spans up to the first token touch each other: parse, render, tokenize, queue,
prefill, sample, detokenize and flush add up to the server's time to first token. What
is recorded are plain values, so that a token costs little; they become a `Trace` when
somebody asks for it. They are times and counts only: no text, no header, no key.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from operator import itemgetter
from typing import NamedTuple

from labkit.clock import Clock
from labkit.records import Layer, Usage
from labkit.trace import Key, Mark, Scalar, Span, Trace
from server.outcomes import Outcome
from server.outputs import Accepted, Observer, Output, StepTiming

__all__ = ["TraceRecorder", "TraceStore"]


START = itemgetter(2)  # of a `_Lap`


class _Lap(NamedTuple):
    """A span as it was recorded, with times of the server's clock."""

    name: str
    layer: Layer
    start_s: float
    end_s: float
    step: int | None = None


class _Moment(NamedTuple):
    """A mark as it was recorded."""

    name: str
    time_s: float
    token: int | None
    attrs: dict[str, Scalar]


class TraceRecorder(Observer):
    """The recorder of one request; `origin_s` is when its head had arrived.

    It is put into `store` as soon as the backend has accepted the request.
    """

    def __init__(
        self,
        request_id: str,
        clock: Clock,
        store: TraceStore,
        *,
        origin_s: float,
        max_steps: int = 1024,
        tenant: str = "local",
    ) -> None:
        self.request_id = request_id
        self.tenant = tenant  # the only one who may read it
        self._meta: dict[str, Scalar] = {
            "origin_s": origin_s,
            "received_unix": clock.unix(),
        }
        self._clock = clock
        self._store = store
        self._origin_s = origin_s
        self._reached_s = origin_s  # end of the last of the spans that touch each other
        self._laps: list[_Lap] = []
        self._moments: list[_Moment] = []
        self._tokens: list[tuple[StepTiming, int, float]] = []  # with index and time
        self._max_steps = max_steps
        self._num_steps = 0
        self._last_step: int | None = None
        self._prefill_began_s: float | None = None
        self._is_flushed = False
        self._has_text = False

    def note(self, **meta: Scalar) -> None:
        """Add plain facts about the request."""
        self._meta.update(meta)

    def lap(self, name: str, layer: Layer, now_s: float | None = None) -> None:
        """Close a span that began where the one before it ended."""
        start_s = self._reached_s
        self._reached_s = self._clock.now() if now_s is None else now_s
        self._laps.append(_Lap(name, layer, start_s, self._reached_s))

    def on_event(self, output: Output) -> None:
        """Record what the backend says: how the prompt was made, then its steps."""
        timing = output.timing
        if output.accepted is not None or output.finish is not None:
            self._begins_or_ends(output)
        if timing is None:
            return
        if self._prefill_began_s is None:
            self._queued(timing.started_s, output.usage)
        if output.index is not None:
            if timing.step != self._last_step:
                self._num_steps += 1
                if self._last_step is None:
                    self._reached_s = timing.ended_s
                self._last_step = timing.step
            if self._num_steps <= self._max_steps:
                self._tokens.append((timing, output.index, output.time_s))

    def on_sent(self, output: Output) -> None:
        """The socket has `output`; by now the engine may be several tokens further."""
        if self._has_text:
            return  # nothing that comes later is a first one
        if output.accepted is not None:
            self._mark("first_chunk", self._clock.now())
        elif (token := output.index) is not None:
            if not self._is_flushed:
                self._is_flushed = True
                self.lap("flush", Layer.STREAMING)
                self._mark("first_token", self._reached_s, token)
            if output.text:
                self._has_text = True
                self._first_text(token)

    def on_end(self, usage: Usage, outcome: Outcome) -> None:
        """Record the end; steps that the trace had no room for are counted."""
        dropped = max(0, self._num_steps - self._max_steps)
        self.note(outcome=str(outcome), steps_not_recorded=dropped)
        self._mark("finish", self._clock.now(), outcome=str(outcome))

    def trace(self) -> Trace:
        """All that is recorded by now, in order of time; for any thread."""
        request, origin_s = self.request_id, self._origin_s
        spans = [
            Span(
                lap.name,
                lap.layer,
                lap.start_s - origin_s,
                max(lap.start_s, lap.end_s) - origin_s,
                Key(request, lap.step),
            )
            for lap in self._all_laps()
        ]
        marks = [
            Mark(name, Layer.STREAMING, time_s - origin_s, Key(request, None, token), a)
            for name, time_s, token, a in [*self._moments]
        ]
        marks += [
            Mark("token", Layer.STREAMING, at_s - origin_s, Key(request, t.step, token))
            for t, token, at_s in [*self._tokens]
        ]
        marks.sort(key=lambda mark: mark.time_s)
        return Trace(request, dict(self._meta), spans, marks)

    def lengths(self) -> list[tuple[str, float]]:
        """Name and seconds of every span by now, in order of time."""
        return [(n, max(0.0, end - start)) for n, _, start, end, _ in self._all_laps()]

    def _begins_or_ends(self, output: Output) -> None:
        if output.accepted is not None:
            self._accepted(output.accepted, output.usage)
        if output.finish is not None:
            tokens = output.usage.completion_tokens
            self.note(finish=str(output.finish), completion_tokens=tokens)

    def _accepted(self, prompt: Accepted, usage: Usage) -> None:
        self.lap("render", Layer.CONTEXT, prompt.rendered_s)
        self.lap("tokenize", Layer.TOKENS, prompt.tokenized_s)
        self.note(
            prompt_tokens=usage.prompt_tokens,
            model=prompt.model,
            device=prompt.device,
            max_tokens=prompt.max_tokens,
        )
        self._store.put(self)

    def _queued(self, until_s: float, usage: Usage) -> None:
        self._prefill_began_s = until_s
        self._laps.append(_Lap("queue", Layer.COMPUTE, self._reached_s, until_s))
        self.note(cached_tokens=usage.cached_tokens)

    def _first_text(self, token: int) -> None:
        now_s = self._clock.now() if token else self._reached_s
        if token:  # the ones before it had released nothing to show
            self._laps.append(_Lap("hold", Layer.STREAMING, self._reached_s, now_s))
        self._mark("first_text", now_s, token)

    def _mark(
        self, name: str, time_s: float, token: int | None = None, **attrs: Scalar
    ) -> None:
        self._moments.append(_Moment(name, time_s, token, attrs))

    def _all_laps(self) -> list[_Lap]:
        """The spans recorded one by one, and three for each step, in order of time."""
        return sorted([*self._laps, *self._steps()], key=START)

    def _steps(self) -> Iterator[_Lap]:
        last_step, name, start_s = None, "prefill", self._prefill_began_s
        for timing, _, _ in [*self._tokens]:
            if (step := timing.step) == last_step:
                continue  # one of several tokens of a step
            began_s = timing.started_s if start_s is None else start_s
            computed_s, sampled_s = timing.computed_s, timing.sampled_s
            yield _Lap(name, Layer.COMPUTE, began_s, computed_s, step)
            yield _Lap("sample", Layer.SAMPLING, computed_s, sampled_s, step)
            yield _Lap("detokenize", Layer.STREAMING, sampled_s, timing.ended_s, step)
            last_step, name, start_s = step, "decode", None


class TraceStore:
    """Recorders by tenant and id: the newest of each tenant, never more than so many.

    A tenant's requests push out none of another's, which would tell of them.
    """

    def __init__(self, max_traces: int) -> None:
        self._max_traces = max_traces
        self._recorders: dict[str, OrderedDict[str, TraceRecorder]] = {}

    def put(self, recorder: TraceRecorder) -> None:
        """Keep `recorder`; its tenant's oldest is dropped where there are too many."""
        kept = self._recorders.setdefault(recorder.tenant, OrderedDict())
        kept[recorder.request_id] = recorder
        while len(kept) > self._max_traces:
            kept.popitem(last=False)

    def get(self, tenant: str, request_id: str) -> TraceRecorder | None:
        """The recorder of a tenant's request, ended or not; None if it is not kept."""
        kept = self._recorders.get(tenant)
        return None if kept is None else kept.get(request_id)
