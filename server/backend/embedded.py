"""The engine in a thread of this process.

The two take turns on one interpreter: good for a test or a notebook, while a server
that streams has the engine in a process of its own (`process`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from server.backend.front import Front
from server.backend.messages import Command, Stop
from server.backend.worker import Worker

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

__all__ = ["EmbeddedEngine"]


class EmbeddedEngine(Front):
    """A `Backend` whose worker is a thread."""

    def __init__(self, load: Callable[[], Engine]) -> None:
        super().__init__()
        self._worker = Worker(load, self.hear)
        self._thread = threading.Thread(
            target=self._worker.run, name="engine", daemon=True
        )

    def start(self) -> None:
        """Start the thread, which loads the model first."""
        self._thread.start()

    def close(self, wait_s: float) -> None:
        """Abort all runs, stop the thread, wait at most `wait_s`."""
        self._worker.put(Stop())
        if self._thread.ident is not None:
            self._thread.join(wait_s)

    def _command(self, command: Command) -> None:
        self._worker.put(command)
