"""Records one request's trace while the request is answered.

The spans up to the first token touch each other: parse, render, tokenize, queue,
prefill, sample, detokenize and flush add up to the server's time to first token. Holds
times and counts only: no text, no header, no key.
"""

from __future__ import annotations

from labkit.clock import Clock
from labkit.records import Layer, Usage
from labkit.trace import Key, Mark, Scalar, Span, Trace
from server.outcomes import Outcome
from server.outputs import Accepted, Observer, Output, StepTiming
from server.telemetry.store import TraceStore

__all__ = ["TraceRecorder"]


class TraceRecorder(Observer):
    """The recorder of one request; `origin_s` is when its head had arrived.

    The trace is put into `store` as soon as the backend has accepted the request.
    """

    def __init__(
        self,
        request_id: str,
        clock: Clock,
        store: TraceStore,
        *,
        origin_s: float,
        max_steps: int = 1024,
    ) -> None:
        meta: dict[str, Scalar] = {"origin_s": origin_s, "received_unix": clock.unix()}
        self.trace = Trace(request_id, meta)
        self._clock = clock
        self._store = store
        self._origin_s = origin_s
        self._reached_s = origin_s  # end of the last of the spans that touch each other
        self._max_steps = max_steps
        self._num_steps = 0
        self._last_step: int | None = None
        self._prefill_began_s: float | None = None
        self._is_flushed = False
        self._has_text = False

    def note(self, **meta: Scalar) -> None:
        """Add plain facts about the request."""
        self.trace.meta.update(meta)

    def lap(self, name: str, layer: Layer, now_s: float | None = None) -> None:
        """Close a span that began where the one before it ended."""
        start_s = self._reached_s
        self._reached_s = self._clock.now() if now_s is None else now_s
        self._span(name, layer, start_s, self._reached_s)

    def on_event(self, output: Output) -> None:
        """Record what the backend says: how the prompt was made, then its steps."""
        if output.accepted is not None:
            self._accepted(output.accepted, output.usage)
            return
        if output.finish is not None:
            tokens = output.usage.completion_tokens
            self.note(finish=str(output.finish), completion_tokens=tokens)
        if (timing := output.timing) is not None:
            if self._prefill_began_s is None:
                self._prefill_began_s = timing.started_s
                self._span("queue", Layer.COMPUTE, self._reached_s, timing.started_s)
                self.note(cached_tokens=output.usage.cached_tokens)
            if output.index is not None:
                self._token(output.index, output.time_s, timing)

    def on_sent(self, output: Output) -> None:
        """The socket has `output`; by now the engine may be several tokens further."""
        if output.accepted is not None:
            self._mark("first_chunk", Layer.STREAMING, self._clock.now())
        elif (token := output.index) is not None:
            if not self._is_flushed:
                self._is_flushed = True
                self.lap("flush", Layer.STREAMING)
                self._mark("first_token", Layer.STREAMING, self._reached_s, token=token)
            if output.text and not self._has_text:
                self._has_text = True
                self._first_text(token)

    def on_end(self, usage: Usage, outcome: Outcome) -> None:
        """Record the end; steps that the trace had no room for are counted."""
        dropped = max(0, self._num_steps - self._max_steps)
        self.note(outcome=str(outcome), steps_not_recorded=dropped)
        now_s = self._clock.now()
        self._mark("finish", Layer.STREAMING, now_s, outcome=str(outcome))

    def _accepted(self, prompt: Accepted, usage: Usage) -> None:
        self.lap("render", Layer.CONTEXT, prompt.rendered_s)
        self.lap("tokenize", Layer.TOKENS, prompt.tokenized_s)
        self.note(
            prompt_tokens=usage.prompt_tokens,
            model=prompt.model,
            device=prompt.device,
            max_tokens=prompt.max_tokens,
        )
        self._store.put(self.trace)

    def _first_text(self, token: int) -> None:
        now_s = self._clock.now() if token else self._reached_s
        if token:  # the ones before it had released nothing to show
            self._span("hold", Layer.STREAMING, self._reached_s, now_s)
        self._mark("first_text", Layer.STREAMING, now_s, token=token)

    def _token(self, index: int, time_s: float, timing: StepTiming) -> None:
        """A step's three spans, once, and a token's mark; every token pays for this."""
        is_first, is_new = self._last_step is None, timing.step != self._last_step
        self._last_step = timing.step
        self._num_steps += is_new
        if is_first:
            self._reached_s = timing.ended_s
        if self._num_steps > self._max_steps:
            return
        origin_s, trace = self._origin_s, self.trace
        if is_new:
            start_s = self._prefill_began_s if is_first else timing.started_s
            assert start_s is not None, "the first output of a step has set it"
            name, key = (
                "prefill" if is_first else "decode",
                Key(trace.request, timing.step),
            )
            computed_s = timing.computed_s - origin_s
            sampled_s, ended_s = timing.sampled_s - origin_s, timing.ended_s - origin_s
            trace.spans += (
                Span(name, Layer.COMPUTE, start_s - origin_s, computed_s, key),
                Span("sample", Layer.SAMPLING, computed_s, sampled_s, key),
                Span("detokenize", Layer.STREAMING, sampled_s, ended_s, key),
            )
        key = Key(trace.request, timing.step, index)
        trace.marks.append(Mark("token", Layer.STREAMING, time_s - origin_s, key))

    def _span(self, name: str, layer: Layer, start_s: float, end_s: float) -> None:
        begin_s = start_s - self._origin_s
        close_s = max(begin_s, end_s - self._origin_s)
        self.trace.add(Span(name, layer, begin_s, close_s, self.trace.key()))

    def _mark(
        self,
        name: str,
        layer: Layer,
        time_s: float,
        token: int | None = None,
        **attrs: Scalar,
    ) -> None:
        key = self.trace.key(token=token)
        self.trace.add(Mark(name, layer, time_s - self._origin_s, key, attrs))
