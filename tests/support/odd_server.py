"""A server that says what it was told to, however wrong, and hangs up."""

from __future__ import annotations

import socket
import threading
from types import TracebackType

__all__ = ["OddServer", "head"]


def head(status: str = "200 OK", kind: str = "text/event-stream", **more: str) -> bytes:
    """The head of an answer whose body ends with the connection."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in more.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class OddServer:
    """Answers the first connections with `answers` in order, byte for byte.

    With `hold=True` it keeps the connection open after the last byte.
    """

    def __init__(self, *answers: bytes, hold: bool = False) -> None:
        self.requests: list[bytes] = []
        self._answers = answers
        self._hold = hold
        self._done = threading.Event()
        self._sock = socket.create_server(("127.0.0.1", 0))
        self._sock.settimeout(20)
        self.url = f"http://127.0.0.1:{self._sock.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> OddServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._done.set()
        self._sock.close()
        self._thread.join(20)

    def stop_listening(self) -> None:
        """Refuse new connections; the one that is held stays."""
        self._sock.close()

    def _serve(self) -> None:
        for answer in self._answers:
            link, _ = self._sock.accept()
            with link:
                self.requests.append(_request(link))
                link.sendall(answer)
                if self._hold:
                    self._done.wait(20)


def _request(link: socket.socket) -> bytes:
    """Head and body of one request."""
    found = b""
    while b"\r\n\r\n" not in found:
        found += link.recv(65536)
    top, _, body = found.partition(b"\r\n\r\n")
    lengths = [
        x for x in top.lower().split(b"\r\n") if x.startswith(b"content-length:")
    ]
    missing = int(lengths[0].partition(b":")[2]) - len(body) if lengths else 0
    while missing > 0:
        piece = link.recv(65536)
        found, missing = found + piece, missing - len(piece)
    return found
