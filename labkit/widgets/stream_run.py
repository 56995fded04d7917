"""One stream, read in a thread of its own, so that a button can stop it.

`stop()` may be called from any thread and at any time, also before the source has
answered; the stream's own `cancel()` is called once, outside every lock. The callbacks
run on the reading thread; `on_end` is called exactly once.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from labkit.errors import LabError
from labkit.records import StreamChunk

__all__ = ["ChatStreamLike", "StreamRun", "StreamSource", "broken_words"]

SLICE_S = 0.1
NO_END = "its end, [DONE], never came"
Messages = Sequence[Mapping[str, str]]


class ChatStreamLike(Protocol):
    """A stream under way: chunks as they come, and a way to stop it."""

    def __iter__(self) -> Iterator[StreamChunk]:
        """The chunks, each as soon as it has arrived."""
        ...

    def cancel(self) -> object:
        """Make the server stop working on it; safe from another thread."""
        ...

    @property
    def is_complete(self) -> bool:
        """Whether the stream's own end has come, such as `[DONE]`."""
        ...

    @property
    def error(self) -> str | None:
        """Why it broke off, where something said so."""
        ...


class StreamSource(Protocol):
    """The interface of a source that answers messages with a stream."""

    def stream(self, messages: Messages, **knobs: Any) -> ChatStreamLike:
        """Send the request."""
        ...


class StreamRun:
    """A stream from its request to its end."""

    def __init__(
        self,
        request: Callable[[], ChatStreamLike],
        on_chunk: Callable[[StreamRun, StreamChunk], None],
        on_end: Callable[[StreamRun, str, str], None],
    ) -> None:
        self._request, self._on_chunk, self._on_end = request, on_chunk, on_end
        self._lock = threading.Lock()
        self._stream: ChatStreamLike | None = None
        self._is_stopped = False
        self._ended = (
            threading.Event()
        )  # joining a thread does not survive an interrupt
        self._thread = threading.Thread(target=self._read, name="stream", daemon=True)

    def start(self) -> None:
        """Send the request and read, on the new thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the stream to stop; what has arrived stays."""
        with self._lock:
            is_first, self._is_stopped = not self._is_stopped, True
            stream = self._stream
        if stream is not None and is_first:
            stream.cancel()

    def wait(self, limit_s: float) -> bool:
        """Whether the stream has ended, after at most `limit_s` seconds.

        It waits in short slices: Python may overlook an interrupt that comes just as a
        wait begins, and then sees it with the next.
        """
        for _ in range(math.ceil(limit_s / SLICE_S)):
            if self._ended.wait(SLICE_S):
                return True
        return self._ended.is_set()

    def _read(self) -> None:
        status, words = "done", ""
        try:
            stream = self._opened()
            for chunk in stream:
                self._on_chunk(self, chunk)
            if stream.error is not None or not stream.is_complete:
                status, words = "failed", broken_words(stream.error)
        except LabError as error:
            status, words = "failed", str(error)
        except Exception as error:  # no caller above this thread would see it
            status, words = "failed", f"{type(error).__name__}: {error}"
        if self._is_stopped:  # stopping closes the connection, which may raise
            status, words = "stopped", ""
        try:
            self._on_end(self, status, words)
        finally:
            self._ended.set()

    def _opened(self) -> ChatStreamLike:
        """The stream; cancelled at once if the stop came before it was there."""
        stream = self._request()
        with self._lock:
            self._stream = stream
            is_stopped = self._is_stopped
        if is_stopped:
            stream.cancel()
        return stream


def broken_words(reason: str | None) -> str:
    """What the reader is told of a stream that did not come to its own end."""
    why = (reason or NO_END).rstrip(".")
    rest = "What is shown is not the whole answer: press Start to ask again."
    return f"The stream broke off: {why}. {rest}"
