"""The server of one notebook: found at its first use, and found anew once it is gone.

Before a client is handed out, its server is asked whether it can serve; one that has
ended is replaced, which is said. It never restarts a server whose address was given.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from labkit.book.progress import waiting
from labkit.clock import Clock
from labkit.errors import ServerUnavailable
from labkit.net.client import LabClient
from labkit.net.discover import FoundServer, find_server, require_ready
from labkit.net.stream import ChatStream

__all__ = ["Serving"]

Messages = Sequence[Mapping[str, str]]


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
            client, had_one = self._living(), self._client is not None
            if client is not None:
                return client
            with waiting("Starting the server"):
                found = self._connect()
        if had_one:
            sys.stdout.write("The server had ended; another one has been started.\n")
        return found

    def stream(self, messages: Messages, **knobs: Any) -> ChatStream:
        """An answer of the server, which is found or started first if need be."""
        with self._lock:
            client = self._living() or self._connect()
        return client.stream(messages, **knobs)

    def _living(self) -> LabClient | None:
        """The client so far, if its server can serve."""
        if self._client is None:
            return None
        try:
            require_ready(self._client.base_url)
        except ServerUnavailable:
            return None
        return self._client

    def _connect(self) -> LabClient:
        found = self._find(self._clock, url=self._url)
        if self._client is None or self._client.base_url != found.url:
            self._client = LabClient(found.url, self._clock)
        return self._client
