"""The two ways of sending an answer: as a stream of server-sent events, and whole.

A client that leaves ends the work done for it, streamed or not; one that stops reading
is hung up on. Where nothing has gone out for a while, a stream carries a comment.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, MutableMapping, Sequence
from contextlib import aclosing
from typing import Any

from fastapi.responses import Response

from labkit.dialects import openai
from labkit.dialects.events import (
    ApiError,
    ChatRequest,
    Ended,
    Failed,
    Ping,
    Started,
    StreamEvent,
    TextPiece,
)
from labkit.dialects.wire import to_json, to_json_by_item
from labkit.records import Usage
from server.errors import ClientGone
from server.http.body import Receive
from server.http.connection import unless_gone, write_limit
from server.http.edge import Send
from server.outcomes import Outcome
from server.outputs import Observer

__all__ = ["EventStream", "Events", "Heartbeat", "whole"]

PART = "http.response.body"
Events = AsyncGenerator[StreamEvent, None]


class Heartbeat(Observer):
    """Calls `beat` whenever nothing has gone out for `every_s`.

    One timer for the whole stream: a deadline for each token would cost every token.
    """

    def __init__(self, every_s: float) -> None:
        self.beat: Callable[[], None] = lambda: None  # set once frames can be sent
        self._every_s = every_s
        self._loop = asyncio.get_running_loop()
        self.sent_s = self._loop.time()  # when the last frame began to go out
        self._timer = self._loop.call_later(every_s, self._look)

    def on_end(self, usage: Usage, outcome: Outcome) -> None:
        """No more beats."""
        self.stop()

    def stop(self) -> None:
        """No more beats."""
        self._timer.cancel()

    def _look(self) -> None:
        wait_s = self.sent_s + self._every_s - self._loop.time()
        if wait_s <= 0:
            self.beat()
            wait_s = self._every_s
        self._timer = self._loop.call_later(wait_s, self._look)


class EventStream(Response):
    """An answer as server-sent events; one write a frame, each with a deadline."""

    def __init__(
        self,
        first: StreamEvent,
        events: Events,
        frames: openai.OpenAIFrames,
        *,
        heartbeat: Heartbeat,
        server_timing: str,
        write_s: float,
    ) -> None:
        headers = {
            "Cache-Control": "no-cache",
            "X-Accel-Buffering": "no",  # nginx would collect the stream otherwise
            "Server-Timing": server_timing,
        }
        super().__init__(None, 200, headers, "text/event-stream")
        del self.headers["content-length"]
        self._first = first
        self._events = events
        self._frames = frames
        self._heartbeat = heartbeat
        self._write_s = write_s
        self._ping: asyncio.Future[None] | None = None  # the last one that was sent

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        """Send frames until the answer ends or the client leaves."""
        state = scope.get("state", {})
        # what wraps the app looks at the start of an answer only
        sending = self._send_all(send, state.get("send", send))
        async with aclosing(self._events):
            try:
                await unless_gone(receive, sending)
            except ClientGone:
                return
            except TimeoutError:  # the client has stopped reading
                state.get("hang_up", lambda: None)()
                await asyncio.sleep(0)  # uvicorn hears of it in the next round

    async def _send_all(self, send_start: Send, send: Send) -> None:
        """Each token passes here: what it needs is looked up once, before the first."""
        feed, now = self._frames.feed, asyncio.get_running_loop().time
        heartbeat = self._heartbeat
        event: StreamEvent | None = self._first
        start = {"type": "http.response.start", "status": self.status_code}
        try:
            async with write_limit(self._write_s) as limit:
                limit.began_s = now()
                await send_start({**start, "headers": self.raw_headers})
                heartbeat.beat = lambda: self._send_ping(send)
                while event is not None:
                    for body in feed(event):
                        limit.began_s = heartbeat.sent_s = now()
                        part = {"type": PART, "body": body, "more_body": True}
                        await send(part)
                    limit.began_s = None
                    event = await anext(self._events, None)
                limit.began_s = now()
                await send({"type": PART, "body": b"", "more_body": False})
        finally:
            if self._ping is not None:
                self._ping.cancel()

    def _send_ping(self, send: Send) -> None:
        """Send a comment beside the frames, unless the last one still waits to go."""
        if self._ping is None or self._ping.done():
            [frame] = self._frames.feed(Ping())
            part = {"type": PART, "body": frame, "more_body": True}
            self._ping = asyncio.ensure_future(send(part))


async def whole(events: Events, chat: ChatRequest) -> str:
    """Collect an answer into one body of JSON.

    With log-probabilities it may be megabytes, which are written beside the event loop.
    """
    seen = []
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Failed):
                raise ApiError(event.problem)
            seen.append(event)
    started = next(e for e in seen if isinstance(e, Started))
    ended = next(e for e in seen if isinstance(e, Ended))
    pieces = [e for e in seen if isinstance(e, TextPiece)]
    if not chat.wants_logprobs:
        return to_json(openai.completion(started, pieces, ended))
    return await asyncio.to_thread(_scored, started, pieces, ended)


def _scored(started: Started, pieces: Sequence[TextPiece], ended: Ended) -> str:
    body = openai.completion(started, pieces, ended, with_logprobs=True)
    return to_json_by_item(body, depth=5)  # one call a token: body.choices[0].logprobs
