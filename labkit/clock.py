"""Time as an argument: everything that needs a clock is given one.

Nothing else in labkit or server reads the machine's clock or sleeps, so a test advances
time by hand and a replay runs on recorded time. All times are float seconds.
"""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "FakeClock", "SystemClock"]


class Clock(Protocol):
    """What code of labkit and the server may ask a clock for."""

    def now(self) -> float:
        """Monotonic seconds; only the difference of two readings has a meaning."""
        ...

    def unix(self) -> float:
        """Seconds since 1970-01-01 UTC, for dates shown to people."""
        ...

    def sleep(self, wait_s: float) -> None:
        """Return once `now()` has moved on by `wait_s` seconds."""
        ...


class SystemClock:
    """The machine's own clock: Python's functions themselves."""

    now = staticmethod(time.perf_counter)  # monotonic; shared by local processes
    unix = staticmethod(time.time)
    sleep = staticmethod(time.sleep)  # blocks this thread


class FakeClock:
    """A clock that moves only when told to: `clock.advance(1.5)`."""

    def __init__(self, now: float = 0.0, unix: float = 1_767_225_600.0) -> None:
        self._now = now
        self._unix = unix

    def now(self) -> float:
        """The time that was set, in seconds."""
        return self._now

    def unix(self) -> float:
        """The date that was set, in seconds since 1970."""
        return self._unix

    def sleep(self, wait_s: float) -> None:
        """Move the clock on by the waiting time at once, without waiting."""
        self.advance(wait_s)

    def advance(self, by_s: float) -> None:
        """Move both readings forward by `by_s` seconds; a negative value is refused."""
        assert by_s >= 0, f"a clock cannot go back, asked for {by_s} s"
        self._now += by_s
        self._unix += by_s
