"""A source that streams what it was given, at the pace that a test sets.

`pause_s` is real time between chunks: browser tests need a stream that lasts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labkit.records import StreamChunk


class ScriptedStream:
    """Yields its chunks until `cancel()`; `is_cancelled` tells."""

    def __init__(self, chunks: Sequence[StreamChunk], pause_s: float) -> None:
        self._chunks, self._pause_s = chunks, pause_s
        self._cancelled = threading.Event()

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()

    def __iter__(self) -> Iterator[StreamChunk]:
        for chunk in self._chunks:
            if self._cancelled.wait(self._pause_s):
                return
            yield chunk

    def cancel(self) -> None:
        self._cancelled.set()


class ScriptedSource:
    """Keeps the requests it got and the streams it gave."""

    def __init__(self, chunks: Sequence[StreamChunk], pause_s: float = 0.0) -> None:
        self._chunks, self._pause_s = chunks, pause_s
        self.requests: list[tuple[list[dict[str, str]], dict[str, Any]]] = []
        self.streams: list[ScriptedStream] = []

    def stream(
        self, messages: Sequence[Mapping[str, str]], **knobs: Any
    ) -> ScriptedStream:
        self.requests.append(([dict(message) for message in messages], knobs))
        self.streams.append(ScriptedStream(self._chunks, self._pause_s))
        return self.streams[-1]
