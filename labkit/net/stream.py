"""One streamed answer, read as it arrives and stopped when you say so.

It can be cancelled at any moment of its life, from any thread; stamps are taken when a
piece is read, so read at once. A stream that breaks off raises nothing: it ends, keeps
what came, and `is_complete` is False. Invariant: `frames` and `rest` joined are the
bytes received.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from types import TracebackType
from typing import Any, Protocol

from labkit.clock import Clock
from labkit.dialects.openai import OpenAIReader
from labkit.dialects.wire import ChunkReader
from labkit.errors import TraceError
from labkit.net.life import ClientStamps, client_trace, merged
from labkit.records import StreamChunk, Usage
from labkit.trace import Trace

__all__ = ["Body", "ChatStream", "Exchange", "Wire"]

CONNECT = "connection.connect_tcp"
SEND_HEAD = "http11.send_request_headers"
SEND_BODY = "http11.send_request_body"


class Body(Protocol):
    """An open answer: its run id and its bytes as they come."""

    run: str
    sent_bytes: int

    def pieces(self) -> Iterator[bytes]:
        """Pieces of the body; `ConnectionError` with a sentence where it breaks."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class Exchange(Protocol):
    """What a stream needs of its client."""

    def open(self, wire: Wire, composed: Callable[[], None]) -> Body:
        """Send the request; calls `composed` when its bytes are ready."""
        ...

    def cancel(self, run: str) -> bool:
        """Ask the server to stop `run`."""
        ...

    def trace_of(self, run: str) -> Trace:
        """The server's own trace of `run`."""
        ...


class ChatStream:
    """Iterable of `StreamChunk`; a context manager that closes the connection."""

    def __init__(self, exchange: Exchange, clock: Clock) -> None:
        self.id: str | None = None  # the run's id, known once the server has answered
        self.chunks: list[StreamChunk] = []
        self.usage: Usage | None = None  # the last one known
        self.finish: str | None = None  # as in `StreamChunk`
        self.error: str | None = None  # why it broke off, if it did
        self._exchange = exchange
        self._clock = clock
        self._wire = Wire(clock)
        self._reader = ChunkReader(OpenAIReader())
        self._origin_s = self._composed_s = self._end_s = 0.0
        self._first_byte_s: float | None = None
        self._sent_bytes = self._received_bytes = 0
        self._unpacked: list[tuple[float, float]] = []
        self._cancelled = threading.Event()
        self._body: Body | None = None
        self._source = self._read()

    def __iter__(self) -> Iterator[StreamChunk]:
        return self._source

    def __next__(self) -> StreamChunk:
        return next(self._source)

    def __enter__(self) -> ChatStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()

    def open(self) -> None:
        """Send the request and wait for the head of the answer; a refusal raises."""
        assert self._body is None, "a stream is opened once"
        self._origin_s = self._clock.now()
        try:
            self._body = self._exchange.open(self._wire, self._composed)
        except ConnectionError as error:
            self._break(error)
            return
        self.id, self._sent_bytes = self._body.run, self._body.sent_bytes
        if self._cancelled.is_set():  # while the request was on its way
            self._exchange.cancel(self.id)

    @property
    def text(self) -> str:
        """The visible text so far."""
        return "".join(chunk.text for chunk in self.chunks)

    @property
    def frames(self) -> list[bytes]:
        """The raw frames, as received."""
        return self._reader.frames

    @property
    def is_complete(self) -> bool:
        """True once the stream's own end, `[DONE]`, has come."""
        return any(chunk.kind == "done" for chunk in self.chunks)

    @property
    def is_cancelled(self) -> bool:
        """True once `cancel()` was called before the end."""
        return self._cancelled.is_set()

    @property
    def rest(self) -> bytes:
        """Bytes of a last frame that never became complete."""
        return self._reader.rest

    def cancel(self) -> None:
        """Stop reading at once and have the server free what it holds; any thread."""
        if self.is_complete or self._cancelled.is_set():
            return
        self._cancelled.set()
        if self.id is not None:
            self._exchange.cancel(self.id)
        self._wire.cut()  # wakes the reader

    def close(self) -> None:
        """Let go of the connection; the server takes that as a cancel."""
        self._source.close()
        if self._body is not None:
            self._body.close()

    def client_trace(self) -> Trace:
        """The client's half of the trace; nothing is asked of the server."""
        if self.id is None:
            raise TraceError("no answer came, so there is nothing to trace")
        stamps = ClientStamps(
            origin_s=self._origin_s,
            composed_s=self._composed_s,
            connected=self._wire.connected,
            sent=self._wire.sent,
            first_byte_s=self._first_byte_s,
            end_s=self._end_s or self._clock.now(),
            sent_bytes=self._sent_bytes,
            received_bytes=self._received_bytes,
            unpacked=self._unpacked,
        )
        return client_trace(self.id, stamps, self.chunks)

    def trace(self) -> Trace:
        """The request's life from both ends, on the client's clock (see `life.py`)."""
        client = self.client_trace()
        return merged(client, self._exchange.trace_of(client.request))

    def _read(self) -> Generator[StreamChunk, None, None]:
        body = self._body
        if body is None:
            return
        try:
            for piece in body.pieces():
                for chunk in self._take(piece):
                    yield chunk
                    if self._cancelled.is_set():
                        return
        except ConnectionError as error:
            self._break(error)
        finally:
            self._end_s = self._clock.now()
            body.close()

    def _composed(self) -> None:
        self._composed_s = self._clock.now()

    def _take(self, piece: bytes) -> list[StreamChunk]:
        """Read one piece; its chunks carry the moment it came."""
        now_s = self._clock.now()
        if self._first_byte_s is None:
            self._first_byte_s = now_s
        self._received_bytes += len(piece)
        found = self._reader.feed(piece, now_s - self._origin_s)
        self.chunks += found
        for chunk in found:
            self.finish = chunk.finish or self.finish
            self.usage = chunk.usage or self.usage
        self.error = self._reader.error or self.error
        self._unpacked.append((now_s, self._clock.now()))
        return found

    def _break(self, error: ConnectionError) -> None:
        if not self._cancelled.is_set():
            self.error = str(error)


class Wire:
    """One HTTP exchange as the client's own stamps, and the hand that can cut it short.

    The stamps come from the HTTP library's hooks, which see a request from inside.
    Cutting is safe from another thread: it shuts the socket down, which wakes a reader;
    it never closes what the reader still holds.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._times: dict[str, float] = {}
        self._lock = threading.Lock()
        self._stream: Any = None  # the library's network stream
        self._is_cut = False

    def see(self, event: str, info: Mapping[str, Any]) -> None:
        """Take note of one step of the exchange; the library calls this."""
        self._times.setdefault(event, self._clock.now())
        if event == f"{CONNECT}.complete":
            with self._lock:
                self._stream = info["return_value"]
            if self._is_cut:
                self.cut()

    def cut(self) -> None:
        """Shut the connection down, now or as soon as there is one."""
        with self._lock:
            self._is_cut = True
            stream = self._stream
        connection = stream.get_extra_info("socket") if stream is not None else None
        if connection is None:
            return
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the other side was faster

    def span(self, first: str, last: str) -> tuple[float, float] | None:
        """From the start of step `first` to the end of `last`; None if not seen."""
        start = self._times.get(f"{first}.started")
        end = self._times.get(f"{last}.complete")
        return None if start is None or end is None else (start, end)

    @property
    def connected(self) -> tuple[float, float] | None:
        """When the TCP connection was made."""
        return self.span(CONNECT, CONNECT)

    @property
    def sent(self) -> tuple[float, float] | None:
        """When the request was handed to the network, head and body."""
        return self.span(SEND_HEAD, SEND_BODY)
