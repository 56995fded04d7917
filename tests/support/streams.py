"""A source that streams what it was given, at the pace that a test sets.

`pause_s` is real time between chunks: browser tests need a stream that lasts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labkit.records import StreamChunk


class ScriptedStream:
    """Yields its chunks until `cancel()`, or breaks off after `breaks_after` of them.

    As with the real client, breaking off raises nothing: the chunks end, and the stream
    is not complete.
    """

    def __init__(
        self,
        chunks: Sequence[StreamChunk],
        pause_s: float,
        breaks_after: int | None,
        error: str | None,
    ) -> None:
        self._chunks, self._pause_s = chunks[:breaks_after], pause_s
        self._is_whole = breaks_after is None
        self._cancelled = threading.Event()
        self.is_complete = False
        self.error = error

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    def __iter__(self) -> Iterator[StreamChunk]:
        for chunk in self._chunks:
            if self._cancelled.wait(self._pause_s):
                return
            yield chunk
        self.is_complete = self._is_whole

    def cancel(self) -> None:
        self._cancelled.set()


class ScriptedSource:
    """Keeps the requests it got and the streams it gave."""

    def __init__(
        self,
        chunks: Sequence[StreamChunk],
        pause_s: float = 0.0,
        breaks_after: int | None = None,
        error: str | None = None,
    ) -> None:
        self._chunks, self._pause_s = chunks, pause_s
        self._breaks_after, self._error = breaks_after, error
        self.requests: list[tuple[list[dict[str, str]], dict[str, Any]]] = []
        self.streams: list[ScriptedStream] = []

    def stream(
        self, messages: Sequence[Mapping[str, str]], **knobs: Any
    ) -> ScriptedStream:
        self.requests.append(([dict(message) for message in messages], knobs))
        end = self._breaks_after, self._error
        made = ScriptedStream(self._chunks, self._pause_s, *end)
        self.streams.append(made)
        return self.streams[-1]
