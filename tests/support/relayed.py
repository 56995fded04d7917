"""What the loopback relay's tests share: a peer behind it, and clients before it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from urllib.parse import urlsplit

from labkit.net.loopback_relay import LoopbackRelay
from tests.support.running import read_all, wait_until

__all__ = [
    "BODY",
    "Peer",
    "asked",
    "connected",
    "down_times",
    "nothing_left",
    "opened",
]

BODY = bytes(range(256)) * 4


class Peer:
    """A TCP server that sends `body` to whoever has ended its own side.

    It keeps what it was sent, and how each connection ended.
    """

    def __init__(self, body: bytes = BODY) -> None:
        self.got: list[bytes] = []
        self.num_broken = 0
        self._body = body
        self._sock = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._sock.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._serve, name="peer")]

    def __enter__(self) -> Peer:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()
        for thread in self._threads:
            thread.join(20)

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self._sock.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._answer, args=(link,), name="peer")
            self._threads.append(thread)
            thread.start()

    def _answer(self, link: socket.socket) -> None:
        link.settimeout(20)
        with link:
            try:
                self.got.append(read_all(link))
                link.sendall(self._body)
            except OSError:
                self.num_broken += 1


def connected(relay: LoopbackRelay) -> socket.socket:
    place = urlsplit(relay.url)
    return socket.create_connection((place.hostname or "", place.port or 0), 20)


def opened(relay: LoopbackRelay, sent: bytes = b"") -> socket.socket:
    """A connection through the relay that has sent its bytes and ended its side."""
    link = connected(relay)
    try:
        link.sendall(sent)
        link.shutdown(socket.SHUT_WR)
    except OSError:
        link.close()
        raise
    return link


def asked(relay: LoopbackRelay, sent: bytes = b"") -> bytes:
    with opened(relay, sent) as link:
        return read_all(link)


def down_times(relay: LoopbackRelay) -> list[float]:
    return [d.time_s for d in relay.deliveries if d.is_down]


@contextmanager
def nothing_left() -> Iterator[None]:
    """No file descriptor and no thread of the relay may be left after the block."""

    def left() -> set[str]:
        files = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))
        sockets = {os.readlink(file) for file in files if os.path.islink(file)}
        threads = {repr(thread) for thread in threading.enumerate()}
        return {name for name in sockets if name.startswith("socket")} | threads

    before = left()
    yield
    wait_until(lambda: left() <= before, "every socket and thread is gone")
