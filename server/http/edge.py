"""The outermost ring, in plain ASGI: whom the server answers, under which request id.

It names each request in `X-Request-Id`, refuses host names that are not the server's
own (a page whose name was pointed at this machine: DNS rebinding), pages of other
sites, and requests beyond `limit_concurrency`. What nobody foresaw leaves it as a 500
that is in the log under the request's id. It reads only the headers that it names.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from hmac import compare_digest
from typing import Any
from urllib.parse import urlsplit

from labkit.clock import Clock
from labkit.dialects import openai
from labkit.dialects.events import Kind, Problem
from labkit.dialects.wire import to_json
from server.errors import problem_of
from server.http.body import Receive
from server.settings import Settings

__all__ = [
    "EVERY_ADDRESS",
    "PROXY_HEADER",
    "Edge",
    "Message",
    "Scope",
    "Send",
    "foreign_origin",
    "is_known_host",
]

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PROXY_HEADER = "x-labkit-proxy"  # in it a trusted proxy sends the launch's secret
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
ALWAYS_LET_IN = ("/health", "/v1/runs/")  # answered at once, and needed most when full
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:@/?#\[\]\\\s]+)(:\d*)?", re.IGNORECASE)
EVERY_ADDRESS = ("0.0.0.0", "::")  # compared, not bound
OVERLOAD_RETRY_S = 1.0


class Edge:
    """Wraps the whole app."""

    def __init__(self, app: App, settings: Settings, clock: Clock) -> None:
        self._app = app
        self._clock = clock
        self._settings = settings
        self._hosts = {"localhost", *settings.allowed_hosts}
        if settings.host not in EVERY_ADDRESS:
            self._hosts.add(settings.host.lower())
        self._secret = settings.proxy_secret.get_secret_value().encode()
        self._keep_alive = b"timeout=%d" % settings.keep_alive_s
        self._num_in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stamp and name the request, then refuse it or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["received_s"] = self._clock.now()
        state["run"] = request_id = f"chatcmpl-{secrets.token_hex(12)}"
        state["send"] = send  # for the frames of a stream that has been started
        headers = {
            k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]
        }
        state["headers"] = own_headers = [(b"x-request-id", request_id.encode())]
        if scope.get("http_version") == "1.1" and not _closes(headers):
            own_headers.append((b"keep-alive", self._keep_alive))
        has_started = False

        async def named(message: Message) -> None:
            nonlocal has_started
            if not has_started:
                has_started = True
                message = _with_headers(message, own_headers)
            await send(message)

        self._num_in_flight += 1
        try:
            problem = self._refusal(scope, headers)
            if problem is None:
                await self._app(_as_get(scope), receive, named)
            else:
                await _refuse(problem, named)
        except Exception as error:
            problem = problem_of(error, request_id)
            if not has_started:
                await _refuse(problem, named)
            else:  # half an answer is cut, so that nobody takes it for a whole one
                state.get("hang_up", lambda: None)()
                await asyncio.sleep(0)
        finally:
            self._num_in_flight -= 1

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> Problem | None:
        """Why this request is not let in; None where it is."""
        is_trusted = bool(self._secret) and compare_digest(
            headers.get(PROXY_HEADER, "").encode(), self._secret
        )
        scope["state"]["is_proxied"] = is_trusted
        host = headers.get("host")
        if host is not None and not is_trusted and not is_known_host(host, self._hosts):
            text = (
                f"this server does not answer to the host name {host[:80]!r}: use "
                "127.0.0.1 or localhost, or name the host in LAB_ALLOWED_HOSTS"
            )
            return Problem(421, text, code="host_refused", should_retry=False)
        if not is_trusted:
            headers.pop("x-forwarded-host", None)
        origin = foreign_origin(headers, self._settings.allowed_origins)
        if origin is not None and scope["method"] not in SAFE_METHODS:
            text = (
                f"requests from {origin[:80]!r} are refused; LAB_ALLOWED_ORIGINS lets "
                "it in"
            )
            return Problem(403, text, code="origin_refused")
        limit = self._settings.limit_concurrency
        if self._num_in_flight > limit and not scope["path"].startswith(ALWAYS_LET_IN):
            return Problem(
                503,
                f"{limit} requests are being answered, which is as many as this server "
                "takes (LAB_LIMIT_CONCURRENCY); ask again later",
                Kind.SERVER,
                code="server_overloaded",
                retry_after_s=OVERLOAD_RETRY_S,
            )
        return None


def is_known_host(host: str, names: Iterable[str]) -> bool:
    """Whether the header `Host` names the loopback address or one of `names`."""
    match = HOST.fullmatch(host)
    if match is None:
        return False
    name = match[1].lower().strip("[]").removesuffix(".")
    if name in names:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


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
    try:
        return None if urlsplit(origin).netloc.lower() in ours else origin
    except ValueError:  # it is no address at all, as in "http://["
        return origin


def _closes(headers: dict[str, str]) -> bool:
    """Whether the client wants this to be the connection's last request."""
    return "close" in headers.get("connection", "").lower()


def _as_get(scope: Scope) -> Scope:
    """A HEAD is answered as its GET would be; the protocol leaves the body out."""
    return {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope


def _with_headers(message: Message, more: list[tuple[bytes, bytes]]) -> Message:
    """The start of an answer with `more` headers; one that closes keeps nothing."""
    found = list(message.get("headers", []))
    is_last = (b"connection", b"close") in [(k.lower(), v) for k, v in found]
    more = [pair for pair in more if not (is_last and pair[0] == b"keep-alive")]
    return {**message, "headers": [*found, *more]}


async def _refuse(problem: Problem, send: Send) -> None:
    body = to_json(openai.error_body(problem)).encode()
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        **problem.headers(),
    }
    raw = [(name.lower().encode(), text.encode()) for name, text in headers.items()]
    start = {"type": "http.response.start", "status": problem.status, "headers": raw}
    await send(start)
    await send({"type": "http.response.body", "body": body})
