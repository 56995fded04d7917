"""The outermost ring, in plain ASGI: arrival time, request id, where it came from.

Stamps each request before anything else runs and names its run in `X-Request-Id`.
Refuses requests that a foreign web page makes a reader's browser send. Reads only the
headers it names, and logs none.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from labkit.clock import Clock
from labkit.dialects import openai
from labkit.dialects.events import Problem
from labkit.dialects.values import to_json
from server.http.body import Receive

__all__ = ["Edge", "Send", "foreign_origin"]

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class Edge:
    """Wraps the whole app."""

    def __init__(
        self, app: App, clock: Clock, allowed_origins: tuple[str, ...]
    ) -> None:
        self._app = app
        self._clock = clock
        self._allowed = allowed_origins

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        """Stamp, check, pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["received_s"] = self._clock.now()
        state["run"] = run = f"chatcmpl-{secrets.token_hex(12)}"

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = [*message.get("headers", []), (b"x-request-id", run.encode())]
                message = {**message, "headers": found}
            await send(message)

        headers = {
            k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]
        }
        origin = foreign_origin(headers, self._allowed)
        if origin is None or scope["method"] in SAFE_METHODS:
            await self._app(scope, receive, named)
        else:
            await _forbid(origin, named)


def foreign_origin(headers: dict[str, str], allowed: tuple[str, ...]) -> str | None:
    """The origin to refuse, or None: ours, allowed, or no browser page at all."""
    origin = headers.get("origin")
    if origin in allowed:
        return None
    if headers.get("sec-fetch-site") == "cross-site":
        return origin or "another site"
    if origin is None:
        return None
    forwarded = headers.get("x-forwarded-host", "").split(",")[0].strip()
    ours = {host.lower() for host in (headers.get("host"), forwarded) if host}
    return None if urlsplit(origin).netloc.lower() in ours else origin


async def _forbid(origin: str, send: Send) -> None:
    text = f"requests from {origin[:80]!r} are refused; LAB_ALLOWED_ORIGINS lets it in"
    problem = Problem(403, text, code="origin_refused")
    body = to_json(openai.error_body(problem)).encode()
    start = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 403, "headers": start})
    await send({"type": "http.response.body", "body": body})
