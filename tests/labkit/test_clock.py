"""The machine's clock runs, the fake one moves only when told to."""

from __future__ import annotations

import time

import pytest

from labkit.clock import Clock, FakeClock, SystemClock


def test_a_fake_clock_stands_still() -> None:
    clock = FakeClock(now=3.0)
    assert (clock.now(), clock.now()) == (3.0, 3.0)


def test_advancing_moves_both_readings() -> None:
    clock = FakeClock(now=1.0, unix=100.0)
    clock.advance(2.5)
    assert (clock.now(), clock.unix()) == (3.5, 102.5)


def test_sleeping_on_a_fake_clock_advances_it_at_once() -> None:
    clock = FakeClock()
    clock.sleep(3600.0)
    assert clock.now() == 3600.0


def test_a_fake_clock_refuses_to_go_back() -> None:
    with pytest.raises(AssertionError, match="cannot go back"):
        FakeClock().advance(-1.0)


def test_the_system_clock_never_runs_backwards() -> None:
    clock = SystemClock()
    readings = [clock.now() for _ in range(100)]
    assert readings == sorted(readings)


def test_the_system_clock_sleeps_at_least_as_long_as_asked() -> None:
    clock: Clock = SystemClock()
    start = clock.now()
    clock.sleep(0.01)
    assert clock.now() - start >= 0.01


def test_the_system_clock_tells_the_date() -> None:
    assert abs(SystemClock().unix() - time.time()) < 60.0
