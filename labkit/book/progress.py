"""A line that counts seconds while something slow starts, and goes away after it.

It writes to stdout, since notebooks paint stderr red; the build of the book drops what
a carriage return has overwritten.
"""

from __future__ import annotations

import sys
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
