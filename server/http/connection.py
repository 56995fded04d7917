"""A client's connection: a head that comes late, a client that leaves or stops reading.

uvicorn's HTTP/1.1 protocol lacks two things: a head must be complete `header_timeout_s`
after its first byte (a silent connection is closed as soon), and
`scope["state"]["hang_up"]` drops a connection whose client has stopped reading. Idle
connections are kept for long, so the oldest goes where there are too many. Bytes that
are not HTTP are answered in the error shape. An ASGI server tells of a departure
only to whoever receives, and nobody does while an answer is being made: `unless_gone`
receives beside the work. It returns with nothing of its own still running.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from labkit.dialects import openai
from labkit.dialects.events import Problem
from labkit.dialects.wire import to_json
from server.errors import ClientGone
from server.http.body import Receive

__all__ = ["WriteLimit", "beat_every", "guarded_protocol", "unless_gone", "write_limit"]

T = TypeVar("T")
SHORTEST_BEAT_S = 0.25  # nobody's patience makes a stream of comments alone


def guarded_protocol(
    header_timeout_s: float, max_connections: int
) -> type[asyncio.Protocol]:
    """The protocol class for `uvicorn.Config(http=...)`."""

    class GuardedProtocol(_Guarded):
        timeout_s = header_timeout_s
        max_num = max_connections

    return GuardedProtocol


class _Guarded(H11Protocol):
    timeout_s: float
    max_num: int  # beyond it, whoever has been idle longest makes room

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
        if len(self.connections) > self.max_num:
            self._close_an_idle_one()

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

    def _close_an_idle_one(self) -> None:
        idle = [
            (other.timeout_keep_alive_task.when(), id(other), other)
            for other in self.connections
            if isinstance(other, H11Protocol) and other.timeout_keep_alive_task
        ]
        if idle:
            min(idle)[2].timeout_keep_alive_handler()

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


async def unless_gone(receive: Receive, work: Awaitable[T]) -> T:
    """Do `work`, or stop it and raise `ClientGone` as soon as the client leaves."""
    coroutine: Coroutine[Any, Any, T]
    coroutine = work if isinstance(work, Coroutine) else _awaited(work)
    task = asyncio.create_task(coroutine)
    watcher = asyncio.ensure_future(_departure(receive))
    try:
        await asyncio.wait({task, watcher}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientGone("the client left")
    finally:
        task.cancel()
        watcher.cancel()
        await asyncio.gather(task, watcher, return_exceptions=True)


async def _awaited(work: Awaitable[T]) -> T:
    return await work  # an async generator's next step is awaitable, yet no coroutine


async def _departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def beat_every(read_timeout: str | None, longest_s: float) -> float:
    """Seconds of silence before a sign of life, for a client that may not wait long.

    OpenAI's and Anthropic's clients state in `x-stainless-read-timeout` after how many
    seconds without a byte they give up; half of that leaves room for a slow network.
    """
    try:
        patience_s = float(read_timeout or "inf")
    except ValueError:
        return longest_s
    if not patience_s > 0:  # NaN is not, either
        return longest_s
    return min(longest_s, max(patience_s / 2, SHORTEST_BEAT_S))


class WriteLimit:
    """A time limit for each of many writes that costs a write no timer of its own.

    A stream writes hundreds of times a second, and nearly every write is done at once.
    So each only notes in `began_s` when it began, None when all is written, and one
    timer looks after the longest that may take.
    """

    def __init__(self, limit_s: float, deadline: asyncio.Timeout) -> None:
        self.began_s: float | None = None  # on the event loop's clock
        self._limit_s = limit_s
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(limit_s, self._look)

    def close(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        now_s = self._loop.time()
        began_s = now_s if self.began_s is None else self.began_s
        wait_s = began_s + self._limit_s - now_s
        if wait_s <= 0:
            self._deadline.reschedule(now_s)
        else:
            self._timer = self._loop.call_later(wait_s, self._look)


@asynccontextmanager
async def write_limit(limit_s: float) -> AsyncIterator[WriteLimit]:
    """Raises `TimeoutError` inside the block once a write has taken `limit_s`."""
    async with asyncio.timeout(None) as deadline:
        limit = WriteLimit(limit_s, deadline)
        try:
            yield limit
        finally:
            limit.close()
