"""A loopback web server that only counts: what leaks when a page paints an image.

It answers every GET with a one-pixel GIF and remembers the paths asked for, never
headers. It listens on 127.0.0.1 on a free port and ends with `close()` or the `with`.
"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

__all__ = ["Sink"]

_MAX_HITS = 1000  # more than any page paints; a bound on memory

_PIXEL = bytes.fromhex(  # a transparent GIF, 1 x 1
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002"
    "02440100 3b".replace(" ", "")
)


class Sink:
    """Counts the requests that reach it; stands for a server an attacker owns."""

    def __init__(self) -> None:
        self._hits: list[str] = []
        self._lock = threading.Lock()
        self._was_asked = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Address of the sink, without a final slash."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def hits(self) -> tuple[str, ...]:
        """Paths asked for so far, query included, in order."""
        with self._lock:
            return tuple(self._hits)

    def wait(self, limit_s: float) -> bool:
        """Whether anybody has asked, after at most `limit_s` seconds."""
        return self._was_asked.wait(limit_s)

    def close(self) -> None:
        """Stop listening; the hits stay readable. Closing twice does nothing."""
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join()
        self._http.server_close()

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()

    def _record(self, path: str) -> None:
        with self._lock:
            if len(self._hits) < _MAX_HITS:
                self._hits.append(path)
        self._was_asked.set()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        record = self._record

        class Handler(BaseHTTPRequestHandler):
            timeout = 5  # seconds: a silent client cannot hold a thread

            def do_GET(self) -> None:
                record(self.path)
                self.send_response(200)
                self.send_header("Content-Type", "image/gif")
                self.send_header("Content-Length", str(len(_PIXEL)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(_PIXEL)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing: a request's line may hold what leaked."""

        return Handler
