"""The runs in flight by id: who may be cancelled from outside, and whose lease is out.

A proxy hides that its client has left, so a client behind one asks for a lease and
renews it while it listens. A run is listed here exactly while it is admitted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from labkit.dialects.events import ApiError, Problem
from server.outcomes import Outcome

__all__ = ["LiveRun", "Runs"]


class LiveRun:
    """One admitted run; `ended_by` says who cut it short, if anybody did."""

    def __init__(self, abort: Callable[[], None], lease_s: float | None) -> None:
        self.ended_by: Outcome | None = None
        self.lease_s = lease_s
        self._abort = abort
        self._timer: asyncio.TimerHandle | None = None
        self.renew()

    def renew(self) -> None:
        """Start the lease anew; nothing happens to a run without one."""
        self.release()
        if self.lease_s is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self.lease_s, self.end, Outcome.LEASE_EXPIRED)

    def end(self, outcome: Outcome) -> None:
        """Abort the run; the first reason stays."""
        self.release()
        if self.ended_by is None:
            self.ended_by = outcome
            self._abort()

    def release(self) -> None:
        """Stop the lease's timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Runs:
    """All runs in flight."""

    def __init__(self) -> None:
        self._live: dict[str, LiveRun] = {}

    @contextmanager
    def listed(
        self, run: str, abort: Callable[[], None], lease_s: float | None
    ) -> Iterator[LiveRun]:
        """List `run` for as long as the block lasts."""
        live = self._live[run] = LiveRun(abort, lease_s)
        try:
            yield live
        finally:
            live.release()
            del self._live[run]

    def get(self, run: str) -> LiveRun:
        """The run with this id, or 404."""
        if run not in self._live:
            raise self.unknown(run)
        return self._live[run]

    def has(self, run: str) -> bool:
        """Whether `run` is in flight."""
        return run in self._live

    def unknown(self, run: str) -> ApiError:
        """The refusal of an id that is not in flight."""
        text = f"no run {run[:60]!r} is in flight; it may have ended"
        return ApiError(Problem(404, text, code="run_not_found"))
