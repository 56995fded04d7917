"""The server of one notebook: found at its first use, and found anew once it is gone.

Before a client is handed out, its server is asked whether it can serve. A server that
has ended is replaced and one whose engine is being replaced is waited for, which is
said. It never restarts a server whose address was given.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from labkit.book.progress import waiting
from labkit.clock import Clock
from labkit.errors import LabError, ServerUnavailable
from labkit.net.client import LabClient
from labkit.net.discover import FoundServer, find_server, require_ready
from labkit.net.stream import ChatStream

__all__ = ["Serving"]

Messages = Sequence[Mapping[str, str]]
RESTART_LIMIT_S: Final = 60.0  # a new engine reads the weights
TICK_S: Final = 0.25
_ON_ITS_WAY: Final = ("loading", "restarting")


class Serving:
    """`client()` for cells; `stream(...)` for a widget, from a thread and silently."""

    def __init__(
        self,
        clock: Clock,
        url: str | None = None,
        find: Callable[..., FoundServer] = find_server,
    ) -> None:
        self._clock, self._url, self._find = clock, url, find
        self._client: LabClient | None = None
        self._lock = threading.Lock()

    def client(self) -> LabClient:
        """The client of a server that can serve; says what takes its time."""
        with self._lock:
            told = ""
            if self._client is not None and self._state() in _ON_ITS_WAY:
                with waiting("Waiting for the server's new engine"):
                    self._living()
                told = "The engine had ended; the server has started another one.\n"
            client = self._living()
            if client is None:
                had_one = self._client is not None
                with waiting("Starting the server"):
                    client = self._connect()
                told = "The server had ended; another one has been started.\n"
                told = told if had_one else ""
        sys.stdout.write(told)
        return client

    def stream(self, messages: Messages, **knobs: Any) -> ChatStream:
        """An answer of the server, which is found or started first if need be."""
        with self._lock:
            client = self._living() or self._connect()
        return client.stream(messages, **knobs)

    def _living(self) -> LabClient | None:
        """The client so far, if its server can serve now or in a moment."""
        limit_s = self._clock.now() + RESTART_LIMIT_S
        while (state := self._state()) in _ON_ITS_WAY and self._clock.now() < limit_s:
            self._clock.sleep(TICK_S)
        return self._client if state == "ok" else None

    def _state(self) -> str | None:
        """What the server so far says of itself; None where none answers."""
        if self._client is None:
            return None
        try:
            require_ready(self._client.base_url)
        except ServerUnavailable:
            try:
                return str(self._client.health().get("status"))
            except LabError:
                return None
        return "ok"

    def _connect(self) -> LabClient:
        found = self._find(self._clock, url=self._url)
        if self._client is None or self._client.base_url != found.url:
            self._client = LabClient(found.url, self._clock)
        return self._client
