"""A server that really listens, in a thread of this process, on a free port."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from labkit.clock import Clock, SystemClock
from server.app import create_app
from server.backends import Backend, BackendState
from server.listen import LabServer, bind, url_of
from server.settings import Settings

__all__ = ["CHAT", "Reply", "RunningServer", "read_all", "wait_until"]

CHAT: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "hi"}],
    "max_tokens": 4,
    "temperature": 0,  # the same answer each time: one drawn may be without a letter
}


@dataclass(frozen=True)
class Reply:
    """What came back: status, lower-case headers, bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def wait_until(condition: Callable[[], bool], what: str, wait_s: float = 10.0) -> None:
    """Poll another thread's state; the sentence is the failure's message."""
    end = time.monotonic() + wait_s
    while not condition():
        assert time.monotonic() < end, f"waited {wait_s} s in vain: {what}"
        time.sleep(0.005)


def read_all(link: socket.socket) -> bytes:
    """Everything until the other side closes."""
    found = b""
    while piece := link.recv(65536):
        found += piece
    return found


class RunningServer:
    """A context: the server listens inside, and is gone after it."""

    def __init__(
        self,
        settings: Settings,
        backend: Backend,
        clock: Clock | None = None,
        when_loaded: Callable[[], None] = lambda: None,
    ) -> None:
        self.backend = backend
        self.settings = settings
        if not settings.api_key.get_secret_value() and not settings.keys_file:
            settings = settings.model_copy(update={"auth": "off"})
        app = create_app(settings, backend, clock or SystemClock())
        self.routes = app.state.routes
        self._server = LabServer(app, backend, settings, when_loaded=when_loaded)
        self._sock = bind("127.0.0.1", 0)
        self.url = url_of(self._sock)
        self.port: int = self._sock.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name="uvicorn")

    def __enter__(self) -> RunningServer:
        self._thread.start()
        wait_until(lambda: self._server.started, "the server starts")
        status = self.backend.status
        wait_until(
            lambda: status().state is not BackendState.LOADING, "the model loads"
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self.join(20)

    def stop(self) -> None:
        """Ask the server to end, as Ctrl-C does."""
        self._server.should_exit = True

    def join(self, wait_s: float) -> None:
        """Wait until a server that was asked to stop is gone."""
        self._thread.join(wait_s)
        assert not self._thread.is_alive(), "the server did not stop"

    def _run(self) -> None:
        self._server.run(sockets=[self._sock])

    def get(self, path: str, **headers: str) -> Reply:
        """GET `path`."""
        return self.send("GET", path, None, headers)

    def post(self, path: str, data: Any = None, **headers: str) -> Reply:
        """POST `data` as JSON; underscores in header names become hyphens."""
        return self.send("POST", path, json.dumps(data).encode(), headers)

    def chat(self, **fields: Any) -> Reply:
        """POST a small chat request with some fields changed."""
        return self.post("/v1/chat/completions", {**CHAT, **fields})

    def send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Reply:
        """One request on a connection of its own."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        given = {"Content-Type": "application/json", **names}
        request = urllib.request.Request(self.url + path, body, given, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                found = {k.lower(): v for k, v in answer.headers.items()}
                return Reply(answer.status, found, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                found = {k.lower(): v for k, v in error.headers.items()}
                return Reply(error.code, found, error.read())

    def connect(self) -> socket.socket:
        """A raw connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def head(
        self, body: bytes, *extra: str, path: str = "/v1/chat/completions"
    ) -> bytes:
        """The bytes of a POST's head for `body`."""
        lines = [
            f"POST {path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            *extra,
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def is_idle(self) -> bool:
        """Nothing runs or waits and every block is free."""
        counts = self.backend.status().counts
        assert counts is not None, "the backend is not ready"
        is_empty = counts.num_running == 0 and counts.num_waiting == 0
        return is_empty and counts.free_blocks == counts.total_blocks
