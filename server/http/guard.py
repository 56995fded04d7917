"""uvicorn's HTTP/1.1 protocol with the two things it lacks: a head deadline, a hang-up.

A request's head must be complete `header_timeout_s` after its first byte, a silent
connection is closed as soon. `scope["state"]["hang_up"]` drops a connection whose
client has stopped reading. Bytes that are not HTTP are answered in the error shape.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from labkit.dialects import openai
from labkit.dialects.events import Problem
from labkit.dialects.values import to_json

__all__ = ["guarded_protocol"]


def guarded_protocol(header_timeout_s: float) -> type[asyncio.Protocol]:
    """The protocol class for `uvicorn.Config(http=...)`."""

    class GuardedProtocol(_Guarded):
        timeout_s = header_timeout_s

    return GuardedProtocol


class _Guarded(H11Protocol):
    timeout_s: float

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        state = {**app_state, "hang_up": self._hang_up}
        super().__init__(config, server_state, state, _loop)
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.trailing_data[0]:  # part of the next head has come already
            self._watch_head()

    def send_400_response(self, msg: str) -> None:
        self._refuse(Problem(400, msg, code="invalid_http"))

    def _watch_head(self) -> None:
        """Keep one timer running exactly while a head is incomplete."""
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self._stop_watching()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self.timeout_s, self._head_is_late)

    def _stop_watching(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self.transport.is_closing() or self.conn.their_state is not h11.IDLE:
            return
        if self.conn.trailing_data[0]:
            text = f"the request's head was not complete after {self.timeout_s:g} s"
            self._refuse(Problem(408, text, code="request_timeout"))
        else:
            self.transport.close()  # a connection opened in advance, never used

    def _refuse(self, problem: Problem) -> None:
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()  # an answer is under way; nothing may follow it
            return
        body = to_json(openai.error_body(problem)).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        response = h11.Response(status_code=problem.status, headers=headers)
        events = (response, h11.Data(data=body), h11.EndOfMessage())
        self.transport.write(b"".join(self.conn.send(event) or b"" for event in events))
        self.transport.close()

    def _hang_up(self) -> None:
        self.transport.abort()
