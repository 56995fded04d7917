"""Records one request's trace while the request is answered.

The spans up to the first token touch each other: parse, render, tokenize, queue,
prefill, sample, detokenize and flush add up to the server's time to first token. Holds
times and counts only: no text, no header, no key.
"""

from __future__ import annotations

from labkit.clock import Clock
from labkit.dialects.events import TextPiece
from labkit.records import Layer
from labkit.trace import Mark, Scalar, Span, Trace
from server.outcomes import Advance, Outcome

__all__ = ["RunTrace"]


class RunTrace:
    """The recorder of one request; `origin_s` is when its head had arrived."""

    def __init__(
        self, run: str, clock: Clock, *, origin_s: float, max_steps: int = 1024
    ) -> None:
        self.trace = Trace(run, {"origin_s": origin_s, "received_unix": clock.unix()})
        self._clock = clock
        self._origin_s = origin_s
        self._reached_s = origin_s  # end of the last of the spans that touch each other
        self._max_steps = max_steps
        self._num_steps = 0
        self._num_tokens = 0
        self._prefill_began_s: float | None = None
        self._is_flushed = False
        self._has_text = False

    def note(self, **meta: Scalar) -> None:
        """Add plain facts about the run."""
        self.trace.meta.update(meta)

    def lap(self, name: str, layer: Layer) -> None:
        """Close a span that began where the one before it ended."""
        start_s, self._reached_s = self._reached_s, self._clock.now()
        self._span(name, layer, start_s, self._reached_s)

    def advance(self, done: Advance) -> None:
        """Record an engine step's part in this run."""
        is_first = self._num_tokens == 0
        if is_first and self._prefill_began_s is None:
            self._prefill_began_s = done.started_s
            self._span("queue", Layer.COMPUTE, self._reached_s, done.started_s)
            self.note(cached_tokens=done.start)
        if is_first and not done.events:
            return  # a chunk of the prompt; the last one closes the span
        self._num_tokens += len(done.events)
        self._num_steps += 1
        if self._num_steps <= self._max_steps:
            start_s = self._prefill_began_s if is_first else done.started_s
            self._step("prefill" if is_first else "decode", start_s or 0.0, done)
        if is_first:
            self._reached_s = done.ended_s

    def started(self) -> None:
        """The first frame, which carries no token, is with the socket."""
        self._mark("first_chunk", Layer.STREAMING, self._clock.now())

    def handed(self, token: int, piece: TextPiece | None) -> None:
        """The socket has what the output's `token` released; None: it released nothing.

        By now the engine may be several tokens further on.
        """
        if not self._is_flushed:
            self._is_flushed = True
            self.lap("flush", Layer.STREAMING)
            self._mark("first_token", Layer.STREAMING, self._reached_s, token=token)
        if piece is not None and piece.text and not self._has_text:
            self._has_text = True
            self._first_text(token)

    def settle(self, outcome: Outcome) -> None:
        """Record the end; steps that the trace had no room for are counted."""
        dropped = max(0, self._num_steps - self._max_steps)
        self.note(outcome=str(outcome), steps_not_recorded=dropped)
        now_s = self._clock.now()
        self._mark("finish", Layer.STREAMING, now_s, outcome=str(outcome))

    def _first_text(self, token: int) -> None:
        now_s = self._clock.now() if token else self._reached_s
        if token:  # the ones before it had released nothing to show
            self._span("hold", Layer.STREAMING, self._reached_s, now_s)
        self._mark("first_text", Layer.STREAMING, now_s, token=token)

    def _step(self, name: str, start_s: float, done: Advance) -> None:
        """A step's three spans, and a mark a token; every token pays for this."""
        origin_s, key = self._origin_s, self.trace.key(done.step)
        started_s = start_s - origin_s
        computed_s, sampled_s = done.computed_s - origin_s, done.sampled_s - origin_s
        ended_s = done.ended_s - origin_s
        streaming, make_key = Layer.STREAMING, self.trace.key
        self.trace.add(
            Span(name, Layer.COMPUTE, started_s, computed_s, key),
            Span("sample", Layer.SAMPLING, computed_s, sampled_s, key),
            Span("detokenize", streaming, sampled_s, ended_s, key),
        )
        for e in done.events:
            key = make_key(done.step, e.index)
            self.trace.add(Mark("token", streaming, e.time_s - origin_s, key))

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
