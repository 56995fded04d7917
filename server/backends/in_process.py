"""The engine in a thread of this process.

The two take turns on one interpreter: good for a test or a notebook, while a server
that streams has the engine in a process of its own (`engine_process`).
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from functools import partial

from server.backends.engine_client import EngineClient
from server.backends.engine_core import EngineCore, Stop

__all__ = ["InProcessClient"]


class InProcessClient(EngineClient):
    """A `Backend` whose engine core is a thread.

    A thread cannot be killed: one that hangs is left behind and not listened to.
    """

    _thread: threading.Thread | None = None

    def close(self, wait_s: float) -> None:
        """End all requests, stop the thread, wait at most `wait_s`."""
        self._begin_closing()
        if self._thread is not None:
            self._send(Stop())
            self._thread.join(wait_s)

    def _launch(self) -> None:
        loop, source = asyncio.get_running_loop(), object()
        tell = partial(loop.call_soon_threadsafe, partial(self._hear, source))
        core = EngineCore(self._load, tell)
        self._source, self._send = source, core.put
        self._thread = threading.Thread(
            target=_run, args=(core,), name="engine", daemon=True
        )
        self._thread.start()

    def _kill(self) -> None:
        self._send(Stop())  # ends it if it still takes commands


def _run(core: EngineCore) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody listens any more
        core.run()
