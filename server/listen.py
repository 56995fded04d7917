"""From settings to a listening process: bind, announce, serve, clean up.

The port is bound before anything slow happens, so that a taken one is told at once. The
discovery file appears when the model has been loaded (or has failed to: /health then
says why) and is gone when the server is.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import math
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn

from labkit.errors import ConfigError
from labkit.net.announced import announce, is_alive, key_path, own_folder, withdraw
from server.backends import Backend, BackendState
from server.http.connection import guarded_protocol
from server.settings import Settings

__all__ = ["LabServer", "bind", "url_of"]

LOGGER = logging.getLogger("server")
CONNECTIONS = 2  # for each request in flight: some are idle, kept for the next one
LOOK_EVERY_S = 0.1  # s between looks at the model and at the parent


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to `host` and `port`; `ConfigError` says why it cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    if os.name == "posix":  # a port in TIME_WAIT is free; on Windows the flag steals
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(128)
    except OSError as error:
        sock.close()
        raise ConfigError(_no_port(host, port, error)) from None
    sock.setblocking(False)
    return sock


def _no_port(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} on {host} is taken: stop the program that has it or choose "
            f"another, as in `python -m server --port {port + 1}` (0 takes a free one)"
        )
    if error.errno == errno.EACCES:
        return f"port {port} is reserved for the administrator: use one above 1023"
    return f"cannot listen on {host}:{port}: {error.strerror}; check LAB_HOST"


def url_of(sock: socket.socket) -> str:
    """The address that clients on this machine can use."""
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class LabServer(uvicorn.Server):
    """uvicorn with our protocol, a discovery file and a parent to follow."""

    def __init__(
        self,
        app: Any,
        backend: Backend,
        settings: Settings,
        *,
        announce: Path | None = None,
        parent: int | None = None,
        when_loaded: Callable[[], None] = lambda: None,
    ) -> None:
        config = uvicorn.Config(
            app,
            http=guarded_protocol(
                settings.header_timeout_s, CONNECTIONS * settings.limit_concurrency
            ),
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_level="warning",
            access_log=False,  # paths and headers are nobody's business
            server_header=False,
            proxy_headers=False,  # nothing here asks who the client is
            timeout_keep_alive=math.ceil(settings.keep_alive_s),
            timeout_graceful_shutdown=math.ceil(settings.shutdown_s) + 1,
        )
        super().__init__(config)
        self._backend = backend
        self._shutdown_s = settings.shutdown_s
        self._announce = announce
        self._parent = parent
        self._when_loaded = when_loaded
        self._key = settings.api_key.get_secret_value()
        self._key_path: Path | None = None
        self._chores: list[asyncio.Task[None]] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then look after the model, the file and the parent."""
        await super().startup(sockets)
        if sockets:
            self._hand_out_key(url_of(sockets[0]))
            chore = self._await_model(url_of(sockets[0]))
            self._chores.append(asyncio.create_task(chore))
        if self._parent is not None:
            self._chores.append(asyncio.create_task(self._follow(self._parent)))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Withdraw the file, end all answers, cut what is open after `shutdown_s`."""
        for chore in self._chores:
            chore.cancel()
        for path in filter(None, (self._announce, self._key_path)):
            withdraw(path)
        loop = asyncio.get_running_loop()
        cut = loop.call_later(self._shutdown_s, self._cut_connections)
        await asyncio.to_thread(self._backend.close, self._shutdown_s)
        await super().shutdown(sockets)
        cut.cancel()

    def _cut_connections(self) -> None:
        """Drop the connections whose clients do not take what is left for them."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    def _hand_out_key(self, url: str) -> None:
        """Leave the key where programs of the same user find it by the address."""
        if not self._key:
            return
        path = key_path(url)
        try:
            own_folder(path.parent)
            announce(path, url, key=self._key)
            self._key_path = path
        except (OSError, ConfigError) as error:
            LOGGER.error(
                "clients do not find the API key by themselves (%s): set LAB_API_KEY "
                "and give it to them, or LAB_AUTH=off",
                error,
            )

    async def _await_model(self, url: str) -> None:
        while self._backend.status().state is BackendState.LOADING:  # noqa: ASYNC110  # a thread sets it
            await asyncio.sleep(LOOK_EVERY_S)
        self._when_loaded()
        if self._announce is not None:
            try:
                announce(self._announce, url)
            except OSError as error:
                LOGGER.error("cannot write %s: %s", self._announce, error.strerror)

    async def _follow(self, pid: int) -> None:
        while is_alive(pid):  # noqa: ASYNC110  # no event tells of it
            await asyncio.sleep(LOOK_EVERY_S)
        self.should_exit = True
