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
            self._acquire(thread)
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            with self._mutex:
                self._pass_on()

    def _acquire(self, thread: int) -> None:
        """Wait until the lock is this thread's.

        Nothing is allocated under the mutex: the garbage collector could otherwise run
        there, close a forgotten stream, and ask for this lock again.
        """
        if self._is_taken(thread):
            return
        turn = threading.Lock()
        turn.acquire()
        entry = (thread, turn)
        with self._mutex:
            if self._owner is None:
                self._owner = thread
                return
            self._waiting.append(entry)
        try:
            turn.acquire()  # released by whoever passes the lock on to this thread
        except BaseException:  # Ctrl-C while waiting
            with self._mutex:
                if entry in self._waiting:
                    self._waiting.remove(entry)
                else:
                    self._pass_on()
            raise

    def _is_taken(self, thread: int) -> bool:
        """Take the lock if nobody has it."""
        with self._mutex:
            if self._owner is not None:
                return False
            self._owner = thread
            return True

    def _pass_on(self) -> None:
        """Give the lock to the thread that has waited longest; the mutex is held."""
        if self._waiting:
            self._owner, turn = self._waiting.popleft()
            turn.release()
        else:
            self._owner = None
