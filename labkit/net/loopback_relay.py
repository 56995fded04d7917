"""A real TCP relay on loopback that treats connections as an unkind network does.

A client connects to `relay.url` instead of the server's address. What each direction
does to the bytes is in `link_shaper.py`; here are the sockets, in a thread of its own.
It knows nothing of HTTP. After `close()` no socket and no thread of it is left.

Two limits of a relay on one machine: the kernel accepts a connection at once, so the
handshake's round trip is waited for before the first byte is read; and TCP keeps no
boundaries, so a reader sees two pieces apart only where time lies between them
(`Link.gap_s`).
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final
from urllib.parse import urlsplit

from labkit.clock import Clock
from labkit.errors import ConfigError
from labkit.net.link_shaper import LinkShaper, check_link
from labkit.net.relay_connection import RelayConnection, Timing
from labkit.records import Delivery, Link

__all__ = ["LoopbackRelay"]

Links = Link | Sequence[Link]

STRAIGHT: Final = Link()
MAX_DELIVERIES: Final = 100_000  # the newest are kept


class LoopbackRelay:
    """`with LoopbackRelay(server.url, clock, down=Link(cut_at=500)) as relay: …`

    `up` is the way to the server and `down` the way back. Where several links are
    given, the first connections take them in turn and all later ones take the last.
    """

    def __init__(
        self,
        target: str,
        clock: Clock,
        *,
        down: Links = STRAIGHT,
        up: Links = STRAIGHT,
        rtt_s: float = 0.0,
    ) -> None:
        place = urlsplit(target)
        if not place.hostname or not place.port:
            raise ConfigError(
                f"target={target!r}: give the server's whole address, such as "
                "http://127.0.0.1:8000"
            )
        self._scheme = place.scheme
        self._target = (place.hostname, place.port)
        self._timing = Timing(clock)
        self._deliveries: deque[Delivery] = deque(maxlen=MAX_DELIVERIES)
        self._num_connections = 0
        self._open: dict[asyncio.Task[None], RelayConnection] = {}
        self._port = 0
        self._error: OSError | None = None
        self._is_ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._serve, name="relay", daemon=True)
        self.change(down=down, up=up, rtt_s=rtt_s)

    @property
    def url(self) -> str:
        """The address to use instead of the server's, without a final slash."""
        assert self._port, "the relay has no address before `start()`"
        return f"{self._scheme}://127.0.0.1:{self._port}"

    @property
    def num_connections(self) -> int:
        """How many connections have been made so far."""
        return self._num_connections

    @property
    def num_open(self) -> int:
        """How many connections are open now."""
        return len(self._open)

    @property
    def num_held_bytes(self) -> int:
        """How many bytes are on their way now: read, and not yet handed on."""
        return sum(one.num_held_bytes for one in tuple(self._open.values()))

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """Every write so far, in order: the staircase of arrivals."""
        return tuple(self._deliveries)

    def start(self) -> LoopbackRelay:
        """Listen on a free port of 127.0.0.1; `OSError` where that cannot be."""
        self._thread.start()
        self._is_ready.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error
        return self

    def close(self) -> None:
        """Cut what is open and stop listening. Closing twice does nothing."""
        if self._thread.is_alive() and self._stop is not None:
            self._call(self._stop.set)
            self._thread.join()

    def change(
        self,
        *,
        down: Links | None = None,
        up: Links | None = None,
        rtt_s: float | None = None,
    ) -> None:
        """Treat the connections that come from now on like this."""
        if rtt_s is not None:
            if not rtt_s >= 0:
                raise ConfigError(f"rtt_s={rtt_s}: use 0 or more seconds")
            self._rtt_s = rtt_s
        if down is not None:
            self._down = _checked(down)
        if up is not None:
            self._up = _checked(up)
        self._first = self._num_connections

    def cut(self) -> None:
        """Reset every open connection now, on both sides."""
        self._call(self._cut_all)

    def hold(self) -> None:
        """Hand nothing on, in any connection, until `release()`."""
        self._timing.is_held = True

    def release(self) -> None:
        """Hand on what was held."""
        self._timing.is_held = False

    def __enter__(self) -> LoopbackRelay:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()

    def _call(self, what: Callable[[], None]) -> None:
        """Let the relay's own thread do it."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(what)

    def _serve(self) -> None:
        # Windows' own kind of loop cannot watch a listening socket
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            try:
                runner.run(self._listen())
            except OSError as error:
                self._error = error
            finally:
                self._is_ready.set()

    async def _listen(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
            listener.setblocking(False)
            self._port = listener.getsockname()[1]
            self._loop.add_reader(listener, self._accept, listener)
            self._is_ready.set()
            await self._stop.wait()
            self._loop.remove_reader(listener)
        open_now = [*self._open]
        self._cut_all()
        await asyncio.gather(*open_now, return_exceptions=True)
        await asyncio.sleep(0)  # transports close their sockets one turn later

    def _accept(self, listener: socket.socket) -> None:
        """Take a connection and its task on in one go: none is ever in between."""
        try:
            client, _ = listener.accept()
        except OSError:  # it has gone again
            return
        number = self._num_connections
        self._num_connections += 1
        turn, way_s = number - self._first, self._rtt_s / 2
        up = self._up[min(turn, len(self._up) - 1)]
        down = self._down[min(turn, len(self._down) - 1)]
        one = RelayConnection(
            number,
            self._timing,
            LinkShaper(up, way_s, 2 * number),
            LinkShaper(down, way_s, 2 * number + 1),
            self._deliveries.append,
        )
        ready_s = self._timing.clock.now() + self._rtt_s
        task = asyncio.create_task(one.run(client, self._target, ready_s))
        self._open[task] = one

        def ended(task: asyncio.Task[None]) -> None:
            del self._open[task]
            client.close()  # a task that is cancelled before it begins closes nothing

        task.add_done_callback(ended)

    def _cut_all(self) -> None:
        for task in self._open:
            task.cancel()


def _checked(links: Links) -> tuple[Link, ...]:
    found = (links,) if isinstance(links, Link) else tuple(links)
    if not found:
        raise ConfigError("no link given: `Link()` is one that does nothing")
    for link in found:
        check_link(link)
    return found
