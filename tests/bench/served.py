"""The server as its clients meet it: a process, sockets, bytes.

The client is one thread that waits on all its sockets and does nothing with the bytes
but look for the first text, the finish and the usage, so that the cores are the
server's.
"""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from labkit.clock import SystemClock
from labkit.errors import ServerUnavailable
from labkit.net.announced import announced_key
from labkit.net.own_server import OwnServer
from tests.bench.team import NotMeasured

__all__ = ["Served", "Stream", "request_bytes"]

LIMIT_S = 120.0  # for all streams of a turn together


@dataclass(slots=True)
class Stream:
    """One answer as it comes in."""

    data: bytearray = field(default_factory=bytearray)
    first_s: float | None = None  # when its first text came
    last_s: float | None = None  # and its newest

    def feed(self, piece: bytes, now_s: float) -> None:
        """Bytes off the socket."""
        self.data += piece
        if b'"delta":{"content":' in piece:  # not the frame that names the role
            self.last_s = now_s
            if self.first_s is None:
                self.first_s = now_s

    @property
    def is_whole(self) -> bool:
        """True where it came to its proper end."""
        return b"data: [DONE]" in self.data

    def usage(self) -> dict[str, Any]:
        """The usage that the server reported, {} where there is none."""
        for line in reversed(bytes(self.data).split(b"\n")):
            if line.startswith(b"data: {") and b'"usage":{' in line:
                return dict(json.loads(line[6:])["usage"])
        return {}


def request_bytes(
    host: str, model: str, question: str, num_tokens: int, key: str | None = None
) -> bytes:
    """A greedy streaming request that does not end before its last token."""
    body = json.dumps(
        {
            "model": model,
            "messages": [{"role": "user", "content": question}],
            "max_tokens": num_tokens,
            "temperature": 0,
            "ignore_eos": True,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\n"
        "Content-Type: application/json\r\nAccept: text/event-stream\r\n"
        f"{_key_line(key)}"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _key_line(key: str | None) -> str:
    return f"Authorization: Bearer {key}\r\n" if key else ""


class Served:
    """A running server; a context that ends it."""

    def __init__(self, command: list[str] | None = None) -> None:
        self._server = OwnServer(SystemClock(), command)
        self._host, self._port, self._model = "", 0, ""
        self._key: str | None = None

    def __enter__(self) -> Served:
        try:
            address = self._server.start()
            self._key = announced_key(address)
            url = urlsplit(address)
            self._host, self._port = str(url.hostname), int(url.port or 80)
            self._model = self._wait_for_model()
        except ServerUnavailable as error:
            raise NotMeasured(str(error)) from error
        except BaseException:
            self._server.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._server.stop()

    def ask(
        self, questions: Sequence[str], num_tokens: int
    ) -> tuple[list[Stream], float]:
        """All questions at once; the streams, and seconds from first to last byte."""
        requests = [
            request_bytes(self._host, self._model, q, num_tokens, self._key)
            for q in questions
        ]
        streams = [Stream() for _ in questions]
        started = time.perf_counter()
        with selectors.DefaultSelector() as waiting:
            for stream, request in zip(streams, requests, strict=True):
                link = socket.create_connection((self._host, self._port), timeout=10)
                link.sendall(request)
                link.setblocking(False)
                waiting.register(link, selectors.EVENT_READ, stream)
            try:
                _read(waiting, started + LIMIT_S)
            finally:
                for key in list(waiting.get_map().values()):
                    waiting.unregister(key.fileobj)
                    key.fileobj.close()  # type: ignore[union-attr]
        return streams, time.perf_counter() - started

    def _wait_for_model(self) -> str:
        end_s = time.perf_counter() + LIMIT_S
        while time.perf_counter() < end_s:
            answer = self._get("/v1/models")
            if b" 200 " in answer.split(b"\r\n", 1)[0]:
                body = answer.split(b"\r\n\r\n", 1)[1]
                found = json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])
                return str(found["data"][0]["id"])
            time.sleep(0.1)
        raise NotMeasured("the server's model was not ready in time")

    def _get(self, path: str) -> bytes:
        head = (
            f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n"
            f"{_key_line(self._key)}Connection: close\r\n\r\n"
        )
        with socket.create_connection((self._host, self._port), timeout=10) as link:
            link.sendall(head.encode())
            found = b""
            while piece := link.recv(65536):
                found += piece
            return found


def _read(waiting: selectors.BaseSelector, end_s: float) -> None:
    """Read every registered socket to its end."""
    while waiting.get_map() and time.perf_counter() < end_s:
        for key, _ in waiting.select(timeout=1.0):
            link: Any = key.fileobj
            piece = link.recv(262144)
            if piece:
                key.data.feed(piece, time.perf_counter())
            else:
                waiting.unregister(link)
                link.close()
