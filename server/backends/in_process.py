"""The engine in a thread of this process.

The two take turns on one interpreter: good for a test or a notebook, while a server
that streams has the engine in a process of its own (`engine_process`).
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

from server.backends.engine_client import EngineClient
from server.backends.engine_core import Command, EngineCore, News, Stop

__all__ = ["InProcessClient"]


class InProcessClient(EngineClient):
    """A `Backend` whose engine core is a thread.

    A thread cannot be killed: one that hangs is left behind and not listened to.
    """

    _core: EngineCore | None = None
    _thread: threading.Thread | None = None

    def close(self, wait_s: float) -> None:
        """End all requests, stop the thread, wait at most `wait_s`."""
        self._begin_closing()
        self._send(Stop())
        if self._thread is not None:
            self._thread.join(wait_s)

    def _launch(self) -> None:
        loop = asyncio.get_running_loop()

        def tell(news: News) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                loop.call_soon_threadsafe(self._hear_from, core, news)

        self._core = core = EngineCore(self._load, tell)
        self._thread = threading.Thread(target=core.run, name="engine", daemon=True)
        self._thread.start()

    def _send(self, command: Command) -> None:
        if self._core is not None:
            self._core.put(command)

    def _kill(self) -> None:
        self._send(Stop())  # ends it if it still takes commands
        self._core = None

    def _hear_from(self, core: EngineCore, news: News) -> None:
        if core is self._core:
            self._hear(news)
