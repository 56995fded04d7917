"""Requests that were sent twice are answered once: `Idempotency-Key`.

The first request with a key starts an answer; every further one with the same body gets
the same events from their start, also while they are still being made. An answer goes
on without its first caller, since one who names a key may be back. It belongs to the
tenant and is kept for a stated time after its end, in bounded number. One that was
refused or failed is not kept: the same key may try again.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from labkit.clock import Clock
from labkit.dialects.events import ApiError, ChatRequest, Failed, Problem, StreamEvent

__all__ = ["SharedAnswer", "SharedAnswers"]

KEY = re.compile(r"[!-~]{1,255}")
Events = AsyncGenerator[StreamEvent, None]
Place = tuple[str, str]  # tenant and key


class SharedAnswer:
    """One answer's events so far, for any number of readers."""

    def __init__(self, request_id: str, digest: str) -> None:
        self.request_id = request_id
        self.digest = digest  # of what was asked
        self.ended_s: float | None = None  # when it was over
        self.error: Exception | None = None  # in place of an end
        self._events: list[StreamEvent] = []
        self._news = asyncio.Event()

    @property
    def is_kept(self) -> bool:
        """Whether a later request may have it: it goes on, or has come to an end."""
        last = self._events[-1] if self._events else None
        return self.error is None and not isinstance(last, Failed)

    async def fill(self, source: Events, clock: Clock) -> None:
        """Take the events as they come."""
        try:
            async with aclosing(source):
                async for event in source:
                    self._events.append(event)
                    self._tell()
        except Exception as error:
            self.error = error
        finally:
            self.ended_s = clock.now()
            self._tell()

    async def read(self, on_close: Callable[[], None] = lambda: None) -> Events:
        """All events from the first on; `on_close` is called when the reader leaves."""
        place = 0
        try:
            while place < len(self._events) or self.ended_s is None:
                if place < len(self._events):
                    yield self._events[place]
                    place += 1
                else:
                    await self._news.wait()
            if self.error is not None:
                raise self.error
        finally:
            on_close()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


class SharedAnswers:
    """The answers of one server, by tenant and key."""

    def __init__(self, keep_s: float, max_kept: int, clock: Clock) -> None:
        self._keep_s = keep_s
        self._max_kept = max_kept
        self._clock = clock
        self._answers: OrderedDict[Place, SharedAnswer] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._answers)

    def answer_to(
        self,
        place: Place,
        chat: ChatRequest,
        request_id: str,
        start: Callable[[], Events],
    ) -> SharedAnswer:
        """The answer that the key has, or a new one; 409 for another request."""
        if not KEY.fullmatch(place[1]):
            text = "Idempotency-Key has 1 to 255 ASCII characters, without spaces"
            raise ApiError(Problem(400, text, code="invalid_idempotency_key"))
        self._forget()
        digest = hashlib.sha256(repr(chat).encode("utf-8", "replace")).hexdigest()
        kept = self._answers.get(place)
        if kept is not None and kept.is_kept:
            if kept.digest != digest:
                text = (
                    "this Idempotency-Key was used with another request: make a new one"
                )
                problem = Problem(
                    409, text, code="idempotency_key_reused", should_retry=False
                )
                raise ApiError(problem)
            return kept
        self._forget(most=self._max_kept)
        made = self._answers[place] = SharedAnswer(request_id, digest)
        task = asyncio.create_task(made.fill(start(), self._clock))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return made

    def _forget(self, *, most: int | None = None) -> None:
        """Drop what is too old and, where `most` is said, the oldest of too many.

        What is still being made stays; how much that is, admission bounds.
        """
        now_s = self._clock.now()
        for place, answer in list(self._answers.items()):
            if answer.ended_s is None:
                continue
            is_many = most is not None and len(self._answers) >= most
            if is_many or now_s - answer.ended_s >= self._keep_s:
                del self._answers[place]
