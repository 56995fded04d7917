"""A time limit for each of many writes that costs a write no timer of its own.

A stream writes hundreds of times a second, and nearly every write is done at once. So
each only notes when it began, and one timer looks after the longest that may take.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["WriteLimit", "write_limit"]


class WriteLimit:
    """Is told when a write begins and when the last one is done."""

    def __init__(self, limit_s: float, deadline: asyncio.Timeout) -> None:
        self._limit_s = limit_s
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._began_s: float | None = None
        self._timer = self._loop.call_later(limit_s, self._look)

    def began(self) -> None:
        """A write begins; the one before it is done."""
        self._began_s = self._loop.time()

    def done(self) -> None:
        """Nothing is being written."""
        self._began_s = None

    def close(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        now_s = self._loop.time()
        began_s = now_s if self._began_s is None else self._began_s
        wait_s = began_s + self._limit_s - now_s
        if wait_s <= 0:
            self._deadline.reschedule(now_s)
        else:
            self._timer = self._loop.call_later(wait_s, self._look)


@asynccontextmanager
async def write_limit(limit_s: float) -> AsyncIterator[WriteLimit]:
    """Raises `TimeoutError` inside the block once a write has taken `limit_s`."""
    async with asyncio.timeout(None) as deadline:
        limit = WriteLimit(limit_s, deadline)
        try:
            yield limit
        finally:
            limit.close()
