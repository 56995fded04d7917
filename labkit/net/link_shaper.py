"""One direction of an unkind connection: bytes in, pieces with their times out.

It reads no clock, waits for nothing and opens no socket: the same bytes at the same
times through the same `Link` give the same pieces. Times never go back, so the order of
the bytes is kept; only `lose`, `duplicate` and a cut change what arrives.
"""

from __future__ import annotations

import math
import random
from dataclasses import fields

from labkit.errors import ConfigError
from labkit.net.relay import recut
from labkit.records import Link

__all__ = ["LinkShaper", "check_link"]

Piece = tuple[float, bytes]  # when it leaves, on the clock of `now`; the bytes


class LinkShaper:
    """What `link` does to the bytes of one direction of connection `number`."""

    def __init__(self, link: Link, delay_s: float = 0.0, number: int = 0) -> None:
        check_link(link)
        self.link = link
        self._delay_s = delay_s
        self._draw = random.Random(f"{link.seed}/{number}")
        self._num_in = 0
        self._num_out = 0
        self._buffer = b""
        self._copy = b""  # the part of the range to send twice that has come so far
        self._last_s = -math.inf  # when the newest piece leaves
        self._free_s = -math.inf  # when the bandwidth is free again
        self._window_s = -math.inf  # when what is being coalesced leaves

    @property
    def is_cut(self) -> bool:
        """Whether the last byte that may pass has been let through."""
        return self.link.cut_at is not None and self._num_out >= self.link.cut_at

    def feed(self, data: bytes, now: float) -> list[Piece]:
        """The pieces that `data`, come at `now`, sets free."""
        self._buffer += self._edited(data)
        size = self.link.buffer_bytes or 1
        whole = len(self._buffer) // size * size
        ready, self._buffer = self._buffer[:whole], self._buffer[whole:]
        return self._timed(ready, now)

    def flush(self, now: float) -> list[Piece]:
        """The sender has ended: what was held back leaves."""
        ready, self._buffer = self._buffer, b""
        return self._timed(ready, now)

    def end_s(self, now: float) -> float:
        """When an end that came at `now` leaves: after every piece."""
        return max(self._last_s, now + self._delay_s)

    def _edited(self, data: bytes) -> bytes:
        """`data` without what is lost, and with what is sent twice."""
        lose = self.link.lose or (0, 0)
        twice = self.link.duplicate or (0, 0)
        begin, end = self._num_in, self._num_in + len(data)
        self._num_in = end
        cuts = [place - begin for place in (*lose, *twice)]
        found = []
        for part in recut(data, cuts) if data else []:
            if not lose[0] <= begin < lose[1]:
                found.append(part)
            if twice[0] <= begin < twice[1]:
                self._copy += part
            begin += len(part)
            if self._copy and begin == twice[1]:
                found.append(self._copy)
                self._copy = b""
        return b"".join(found)

    def _timed(self, data: bytes, now: float) -> list[Piece]:
        """`data` in pieces, each with the time when it leaves."""
        if self.link.cut_at is not None:
            data = data[: max(0, self.link.cut_at - self._num_out)]
        if not data:
            return []
        stall_at = self.link.stall_at
        cuts = self._cuts(len(data))
        if stall_at is not None:
            cuts.append(stall_at - self._num_out)
        pieces = []
        for part in recut(data, cuts):
            if self._num_out == stall_at:
                self._last_s = max(self._last_s, now) + self.link.stall_s
            pieces.append((self._leaves_s(len(part), now), part))
            self._num_out += len(part)
        return pieces

    def _cuts(self, num_bytes: int) -> list[int]:
        size = self.link.chunk_bytes
        if size is None:
            return []
        if not self.link.is_ragged:
            return [*range(size, num_bytes, size)]
        cuts, place = list[int](), self._draw.randint(1, size)
        while place < num_bytes:
            cuts.append(place)
            place += self._draw.randint(1, size)
        return cuts

    def _leaves_s(self, num_bytes: int, now: float) -> float:
        """When a piece of this size that came at `now` leaves."""
        link, ready_s = self.link, now
        if link.coalesce_s:
            if now > self._window_s:
                self._window_s = now + link.coalesce_s
            ready_s = self._window_s
        if link.bytes_per_s is not None:
            self._free_s = max(ready_s, self._free_s) + num_bytes / link.bytes_per_s
            ready_s = self._free_s
        if link.jitter_s:
            ready_s += self._draw.uniform(0, link.jitter_s)
        gap_s = link.gap_s if self._num_out else 0.0
        self._last_s = max(ready_s + self._delay_s, self._last_s + gap_s)
        return self._last_s


def check_link(link: Link) -> None:
    """Raise `ConfigError` for a value that no connection can have."""
    for field in fields(Link):
        value = getattr(link, field.name)
        if field.name in ("lose", "duplicate"):
            if value is not None and not 0 <= value[0] < value[1]:
                raise ConfigError(
                    f"{field.name}={value}: give the first byte and the one after the "
                    "last, such as (10, 20)"
                )
        elif field.name in ("bytes_per_s", "chunk_bytes"):
            if value is not None and not value > 0:
                raise ConfigError(f"{field.name}={value}: use more than 0, or None")
        elif field.name != "seed" and value is not None and not value >= 0:
            raise ConfigError(f"{field.name}={value}: use 0 or more")
    if link.is_ragged and link.chunk_bytes is None:
        raise ConfigError("is_ragged=True: give chunk_bytes, the largest piece, too")
