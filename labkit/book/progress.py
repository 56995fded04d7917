"""A line that counts seconds while something slow starts, and goes away after it.

It writes to stderr as tqdm does, which the build of the book leaves out.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

__all__ = ["waiting"]

TICK_S = 0.5


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show `what` and the seconds so far for as long as the block lasts."""
    done = threading.Event()
    layout = "{desc} ({elapsed})"
    with tqdm(desc=what, total=0, bar_format=layout, leave=False) as bar:
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
