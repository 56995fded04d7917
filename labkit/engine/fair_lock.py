"""A re-entrant lock that threads get in the order in which they asked for it.

Python's own locks may be taken again at once by the thread that gives them up, so a
loop that steps an engine would keep a widget's button waiting for as long as it runs.
The invariant is that a thread which asks is served before any thread that asks later.
"""

from __future__ import annotations

import threading
from collections import deque

__all__ = ["FairLock"]


class FairLock:
    """`with lock:`, also inside another `with lock:` of the same thread."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()  # held for a few instructions only
        self._owner: int | None = None  # identity of the thread that has the lock
        self._depth = 0  # `with` blocks of the owner, one inside another
        self._waiting: deque[tuple[int, threading.Lock]] = deque()

    def __enter__(self) -> None:
        thread = threading.get_ident()
        if self._owner != thread:
            with self._mutex:
                is_free = self._owner is None
                if is_free:
                    self._owner = thread
            if not is_free:
                self._wait(thread)
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            with self._mutex:
                self._owner = None
                if self._waiting:
                    self._pass_on()

    def _wait(self, thread: int) -> None:
        """Queue, and return once the lock is this thread's.

        Nothing is allocated under the mutex: the garbage collector could otherwise run
        there, close a forgotten stream, and ask for this lock again.
        """
        turn = threading.Lock()
        turn.acquire()
        entry = (thread, turn)
        try:
            with self._mutex:
                self._waiting.append(entry)
                if self._owner is None:  # it was given up meanwhile
                    self._pass_on()
            turn.acquire()  # released by whoever passes the lock on to this thread
        except BaseException:  # Ctrl-C while waiting
            with self._mutex:
                if entry in self._waiting:
                    self._waiting.remove(entry)
                elif self._owner == thread:
                    self._owner = None
                    if self._waiting:
                        self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Give the lock to the thread that has waited longest; the mutex is held."""
        self._owner, turn = self._waiting.popleft()
        turn.release()
