"""The app: endpoints, error shapes and the outer ring, put together once.

Refuses to know where settings, engine and time come from; they are given. Every error,
of the router's too, leaves in the OpenAI shape.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from labkit.clock import Clock
from labkit.dialects.events import Problem
from labkit.errors import LabError
from server.auth import LOCAL, Authentication, Keyring
from server.backends import Backend
from server.errors import ClientGone, problem_of
from server.http.edge import Edge
from server.limits import LIMIT_HEADERS
from server.routes import Routes, problem_reply
from server.settings import Settings

__all__ = ["create_app"]

OWN_HEADERS = [
    "X-Request-Id",
    "Server-Timing",
    "Retry-After",
    "Retry-After-Ms",
    "X-Should-Retry",
    "Idempotent-Replayed",
    *LIMIT_HEADERS,
]


def create_app(settings: Settings, backend: Backend, clock: Clock) -> FastAPI:
    """The server as an ASGI app; the backend starts and stops with it.

    `ConfigError` where the settings name no key and do not let everybody in.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        backend.start()
        yield
        await asyncio.to_thread(backend.close, settings.shutdown_s)

    app = FastAPI(
        title="labkit",
        lifespan=lifespan,
        docs_url=None,  # the pages load scripts from another site
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # an address would be built from what a client says
    )
    keyring = Keyring.from_settings(settings)
    is_shared = bool(keyring.tenants() - {LOCAL.tenant})
    app.state.routes = routes = Routes(settings, backend, clock, is_shared)
    app.include_router(routes.router())
    app.add_exception_handler(LabError, _on_error)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_middleware(Authentication, keyring=keyring)
    app.add_middleware(Edge, settings=settings, clock=clock)
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            expose_headers=OWN_HEADERS,
        )
    return app


async def _on_error(request: Request, error: Exception) -> Response:
    if isinstance(error, ClientGone):
        return Response(status_code=499)  # goes nowhere: the connection is closed
    return problem_reply(problem_of(error, request.state.run))


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "registered for this kind only"
    where = f"{request.method} {request.url.path[:80]}"
    texts = {404: f"no endpoint {where}", 405: f"{where} is not offered"}
    codes = {404: "not_found", 405: "method_not_allowed"}
    status = error.status_code
    text = texts.get(status, str(error.detail))
    reply = problem_reply(Problem(status, text, code=codes.get(status)))
    reply.headers.update(error.headers or {})
    if "GET" in reply.headers.get("allow", "").split(", "):
        reply.headers["allow"] += ", HEAD"
    return reply
