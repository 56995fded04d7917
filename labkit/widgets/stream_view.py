"""Shows a stream as it arrives: its text, a time stamp per chunk, its pace.

The stream is read in a thread of its own, so the kernel is never blocked and the stop
button works while a cell runs. A stream that ends without its own end is "failed", and
the view says why. With `transport="browser"` the page asks the server itself and
reports what it got; where it cannot, it says so and the kernel reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Self

import traitlets

from labkit.config import reject_unknown
from labkit.errors import ConfigError
from labkit.figures.drawings import StreamDrawing
from labkit.figures.pace import Pace, pace, stream_drawing
from labkit.records import StreamChunk
from labkit.sequence import SamplingParams
from labkit.widgets.base import LabWidget, Message
from labkit.widgets.chunks import from_page, to_page
from labkit.widgets.stream_run import Messages, StreamRun, StreamSource

__all__ = ["StreamInterrupted", "StreamView"]

PATIENCE_S = 5.0  # for a stream that was told to stop
KNOBS = (*(field.name for field in fields(SamplingParams)), "logprobs", "model")


class StreamInterrupted(KeyboardInterrupt):
    """The reader interrupted the cell; the notebook shows it as one line."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class StreamView(
    LabWidget,
    page="stream_view",
    parts=("stream_reader", "stream_fetch", "stream_lane", "stream_text"),
):
    """`StreamView(lab.server, messages, max_tokens=40, temperature=0.7)`.

    Show the view first, then `run()` it, so that the answer is seen as it arrives; or
    leave the start to its button. Every knob that is a number is also a control. With
    `logprobs=True` the view tells how probable each token was. `status` is idle,
    running, done, stopped or failed.
    """

    hurried = frozenset({"stop"})  # cancelling may take a round trip

    status = traitlets.Unicode("idle").tag(sync=True)
    problem = traitlets.Unicode("").tag(sync=True)
    transport = traitlets.Unicode("kernel").tag(sync=True)
    can_start = traitlets.Bool(True).tag(sync=True)
    messages: traitlets.List[Any] = traitlets.List().tag(sync=True)
    knobs: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    recorded: traitlets.List[Any] = traitlets.List().tag(sync=True)

    def __init__(
        self,
        source: StreamSource | None,
        messages: Messages,
        transport: str = "kernel",
        **knobs: Any,
    ) -> None:
        reject_unknown(knobs, KNOBS, "StreamView")
        if transport not in ("kernel", "browser"):
            raise ConfigError(f"transport={transport!r}: use 'kernel' or 'browser'")
        self._source = source
        self._chunks: list[StreamChunk] = []
        self._run: StreamRun | None = None
        super().__init__(
            {},
            messages=[dict(message) for message in messages],
            transport=transport,
            knobs=knobs,
            can_start=source is not None,
        )

    @classmethod
    def from_chunks(cls, chunks: Sequence[StreamChunk]) -> Self:
        """A recorded stream: it can be replayed and not started."""
        view = cls(None, [])
        view._finish(list(chunks), "done", "")
        return view

    @property
    def chunks(self) -> tuple[StreamChunk, ...]:
        """What has arrived so far."""
        return tuple(self._chunks)

    @property
    def text(self) -> str:
        """The visible text so far."""
        return "".join(chunk.text for chunk in self._chunks)

    @property
    def pace(self) -> Pace:
        """First chunk, first text, gaps."""
        return pace(self._chunks)

    def record(self) -> StreamDrawing:
        """The stream so far."""
        return stream_drawing(self._chunks, self.status)

    def start(self) -> None:
        """Send the request and read in the kernel; at once if a stream runs already."""
        source = self._source
        if source is None:
            raise ConfigError("this StreamView shows a recording: give it a source")
        with self._lock:
            if self.status == "running":
                return
            self.tell(
                "reset"
            )  # before the status, so that no page tells of the last run
            self._chunks, self.problem, self.status = [], "", "running"
            messages, knobs = list(self.messages), dict(self.knobs)
            run = StreamRun(
                lambda: source.stream(messages, **knobs), self._arrived, self._ended
            )
            self._run = run
        run.start()

    def stop(self) -> None:
        """Cancel the running stream, if there is one."""
        if self._run is not None:
            self._run.stop()

    def wait(self, limit_s: float = 120.0) -> Self:
        """Return when the stream has ended; `ConfigError` if it takes too long."""
        if self._run is not None and not self._run.wait(limit_s):
            self.stop()
            raise ConfigError(f"no end after {limit_s:g} s: stopped; ask for less")
        return self

    def run(self, limit_s: float = 120.0) -> None:
        """`start()`, then `wait()`; interrupting the cell stops the stream."""
        try:
            self.start()
            self.wait(limit_s)
        except KeyboardInterrupt:
            self.stop()
            if self._run is not None:
                self._run.wait(PATIENCE_S)
            raise StreamInterrupted("Interrupted: the stream was stopped.") from None

    def ask(self, messages: Messages) -> None:
        """Work on these messages from now on; what is shown stays until the start."""
        with self._lock:
            self.messages = [dict(message) for message in messages]

    def handle(self, op: str, message: Message) -> None:
        """Buttons of the page, and what a page read by itself."""
        match op:
            case "start":
                self._turn(message.get("knobs", {}))
                self._reword(message.get("prompt"))
                self.start()
            case "stop":
                self.stop()
            case "open":
                self.tell("all", chunks=[to_page(chunk) for chunk in self._chunks])
            case "report":
                items = enumerate(message["chunks"])
                chunks = [from_page(index, item) for index, item in items]
                self._turn(message.get("knobs", {}))
                self._finish(chunks, str(message["status"]), str(message["problem"]))
            case _:
                super().handle(op, message)

    def _turn(self, knobs: Mapping[str, Any]) -> None:
        """Take the controls' values; a control for no known knob is refused."""
        reject_unknown(knobs, self.knobs, "StreamView")
        self.knobs = {**self.knobs, **knobs}

    def _reword(self, prompt: object) -> None:
        """Put what the reader typed in the place of the last message."""
        last = self.messages[-1] if self.messages else None
        if last is not None and isinstance(prompt, str) and prompt.strip():
            self.messages = [*self.messages[:-1], {**last, "content": prompt}]

    def _arrived(self, run: StreamRun, chunk: StreamChunk) -> None:
        with self._lock:
            if run is self._run:
                self._chunks.append(chunk)
                self.tell("chunk", at=len(self._chunks) - 1, chunk=to_page(chunk))

    def _ended(self, run: StreamRun, status: str, problem: str) -> None:
        if run is self._run:
            self._finish(self._chunks, status, problem)

    def _finish(self, chunks: list[StreamChunk], status: str, problem: str) -> None:
        with self._lock:
            self._chunks = chunks
            self.recorded = [to_page(chunk) for chunk in chunks]
            self.problem, self.status = problem, status
