"""What a slow cell shows: seconds, a bar with the time left, or a busy machine.

All of it goes to stdout, since notebooks paint stderr red; lines go away when they are
done, and the build of the book drops what a carriage return has overwritten.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Final, TypeVar

from tqdm import tqdm

from labkit.errors import ConfigError

__all__ = ["busy_words", "progress", "waiting"]

TICK_S = 0.5
BUSY: Final = 2.0  # from how many times the recorded times on a machine counts as busy
T = TypeVar("T")
Times = float | Sequence[float]


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show `what` and the seconds so far for as long as the block lasts."""
    done = threading.Event()
    layout = "{desc} ({elapsed})"
    with tqdm(
        desc=what, total=0, bar_format=layout, leave=False, file=sys.stdout
    ) as bar:
        ticker = threading.Thread(target=_tick, args=(bar, done), daemon=True)
        ticker.start()
        try:
            yield
        finally:
            done.set()
            ticker.join()


def _tick(bar: tqdm, done: threading.Event) -> None:
    while not done.wait(TICK_S):
        bar.refresh()


def progress(items: Iterable[T], what: str, num: int | None = None) -> Iterator[T]:
    """Give `items` one by one under a bar with the time left; `num`: how many."""
    layout = "{desc}: {n_fmt} of {total_fmt}, {elapsed} so far, about {remaining} left"
    try:
        total = len(items) if num is None else num  # type: ignore[arg-type]  # tried
    except TypeError:
        total, layout = None, "{desc}: {n_fmt}, {elapsed} so far"
    yield from tqdm(items, what, total, bar_format=layout, leave=False, file=sys.stdout)


def busy_words(measured_ms: Times, recorded_ms: Times) -> str:
    """That this machine is busy, if its times are far above the recorded; or ""."""
    measured, recorded = _middle(measured_ms), _middle(recorded_ms)
    factor = measured / recorded
    if factor <= BUSY:
        return ""
    return (
        f"Your machine is busy, or slower than the one of the recording: these are "
        f"{factor:.3g} times the recorded times."
    )


def _middle(times_ms: Times) -> float:
    """The median; times that are none are refused."""
    listed = [float(times_ms)] if isinstance(times_ms, int | float) else [*times_ms]
    if not listed or not all(time > 0 for time in listed):
        raise ConfigError(f"times {times_ms!r}: give milliseconds above 0")
    return median(listed)
