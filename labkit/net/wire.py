"""One HTTP exchange as the client's own stamps, and the hand that can cut it short.

The stamps come from the HTTP library's hooks, which see a request from inside. Cutting
is safe from another thread: it shuts the socket down, which wakes a reader; it never
closes what the reader still holds.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from typing import Any

from labkit.clock import Clock

__all__ = ["Wire"]

CONNECT = "connection.connect_tcp"
SEND_HEAD = "http11.send_request_headers"
SEND_BODY = "http11.send_request_body"


class Wire:
    """When each part of an exchange began and ended, on the client's clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._times: dict[str, float] = {}
        self._lock = threading.Lock()
        self._stream: Any = None  # the library's network stream
        self._is_cut = False

    def see(self, event: str, info: Mapping[str, Any]) -> None:
        """Take note of one step of the exchange; the library calls this."""
        self._times.setdefault(event, self._clock.now())
        if event == f"{CONNECT}.complete":
            with self._lock:
                self._stream = info["return_value"]
            if self._is_cut:
                self.cut()

    def cut(self) -> None:
        """Shut the connection down, now or as soon as there is one."""
        with self._lock:
            self._is_cut = True
            stream = self._stream
        connection = stream.get_extra_info("socket") if stream is not None else None
        if connection is None:
            return
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the other side was faster

    def span(self, first: str, last: str) -> tuple[float, float] | None:
        """From the start of step `first` to the end of `last`; None if not seen."""
        start = self._times.get(f"{first}.started")
        end = self._times.get(f"{last}.complete")
        return None if start is None or end is None else (start, end)

    @property
    def connected(self) -> tuple[float, float] | None:
        """When the TCP connection was made."""
        return self.span(CONNECT, CONNECT)

    @property
    def sent(self) -> tuple[float, float] | None:
        """When the request was handed to the network, head and body."""
        return self.span(SEND_HEAD, SEND_BODY)
