"""One connection through the loopback relay: two sockets and what lies between them.

Each direction has a task that reads and one that writes when a piece's time has come.
What is on its way is bounded, so a client that reads slowly slows the server down, as
it would without the relay. However it ends, both sockets are closed.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from labkit.clock import Clock
from labkit.net.link_shaper import LinkShaper
from labkit.records import Delivery

__all__ = ["RelayConnection", "Timing"]

READ_BYTES: Final = 65_536
MAX_HELD_BYTES: Final = 4 * 1024 * 1024  # 100 ms at 40 MB a second
TICK_S: Final = 0.01  # how often a long wait looks at the clock
RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset, at once


@dataclass
class Timing:
    """The relay's clock, and whether everything is held."""

    clock: Clock
    is_held: bool = False

    async def until(self, due_s: float) -> None:
        """Return when the clock has reached `due_s` and nothing is held."""
        while True:
            left_s = TICK_S if self.is_held else due_s - self.clock.now()
            if left_s <= 0:
                return
            await asyncio.sleep(min(left_s, TICK_S))


class RelayConnection:
    """Connection `number`; `seen` gets a record of each write."""

    def __init__(
        self,
        number: int,
        timing: Timing,
        up: LinkShaper,
        down: LinkShaper,
        seen: Callable[[Delivery], None],
    ) -> None:
        self._number = number
        self._timing = timing
        self._up = _Way(up)
        self._down = _Way(down)
        self._seen = seen

    @property
    def num_held_bytes(self) -> int:
        """How many bytes are on their way, both directions together."""
        return self._up.num_held_bytes + self._down.num_held_bytes

    async def run(
        self,
        client: socket.socket,
        target: tuple[str, int],
        ready_s: float,
    ) -> None:
        """Relay between `client` and `target`, from `ready_s` until both are done."""
        is_reset, writers = True, list[asyncio.StreamWriter]()
        try:
            reader, writer = await asyncio.open_connection(sock=client)
            writers.append(writer)
            await self._timing.until(ready_s)
            far_reader, far_writer = await asyncio.open_connection(*target)
            writers.append(far_writer)
            for one in writers:  # `drain` then waits until the kernel has it all
                one.transport.set_write_buffer_limits(high=0)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(reader, self._up))
                group.create_task(self._read(far_reader, self._down))
                group.create_task(self._write(far_writer, self._up))
                group.create_task(self._write(writer, self._down))
            is_reset = False
        except* _Cut as cuts:
            is_reset = any(cut.is_reset for cut in _leaves(cuts))
        except* OSError:
            pass  # one side has gone: the other learns it by the reset
        finally:
            for one in writers:  # all before any waiting, in which a cancel may come
                _end(one, is_reset)
            for one in writers:
                with suppress(OSError):
                    await one.wait_closed()

    async def _read(self, reader: asyncio.StreamReader, way: _Way) -> None:
        shaper, now = way.shaper, self._timing.clock.now
        while data := await reader.read(READ_BYTES):
            await way.put(shaper.feed(data, now()))
            if shaper.is_cut:
                break
        end_s = shaper.end_s(now())
        pieces = shaper.flush(now())
        await way.put([*pieces, (max(end_s, shaper.end_s(now())), b"")])

    async def _write(self, writer: asyncio.StreamWriter, way: _Way) -> None:
        is_down = way is self._down
        while True:
            await self._timing.until(await way.due_s())
            now_s, data = self._timing.clock.now(), way.take()
            if not data:
                break
            writer.write(data)
            await writer.drain()
            self._seen(Delivery(self._number, is_down, now_s, len(data)))
        if way.shaper.is_cut:
            raise _Cut(way.shaper.link.is_reset)
        writer.write_eof()


class _Cut(Exception):
    """The link has let through the last byte that it may."""

    def __init__(self, is_reset: bool) -> None:
        super().__init__()
        self.is_reset = is_reset


class _Way:
    """One direction: the pieces on their way; an empty one is the sender's end."""

    def __init__(self, shaper: LinkShaper) -> None:
        self.shaper = shaper
        self.num_held_bytes = 0
        self._pieces: deque[tuple[float, bytes]] = deque()
        self._has_piece = asyncio.Event()
        self._has_room = asyncio.Event()

    async def put(self, pieces: list[tuple[float, bytes]]) -> None:
        """Take them on; return when there is room for more."""
        self._pieces.extend(pieces)
        self.num_held_bytes += sum(len(data) for _, data in pieces)
        self._has_piece.set()
        while self.num_held_bytes > MAX_HELD_BYTES:
            self._has_room.clear()
            await self._has_room.wait()

    async def due_s(self) -> float:
        """When the next piece leaves, once there is one."""
        while not self._pieces:
            self._has_piece.clear()
            await self._has_piece.wait()
        return self._pieces[0][0]

    def take(self) -> bytes:
        """The next piece; where the link coalesces, with all that leave at its time."""
        due_s, data = self._pieces.popleft()
        while self._is_joined(due_s):
            data += self._pieces.popleft()[1]
        self.num_held_bytes -= len(data)
        self._has_room.set()
        return data

    def _is_joined(self, due_s: float) -> bool:
        if not self.shaper.link.coalesce_s or not self._pieces:
            return False
        next_s, data = self._pieces[0]
        return next_s == due_s and bool(data)


def _leaves(group: BaseExceptionGroup[_Cut]) -> list[_Cut]:
    """The cuts in a group; one task can only raise one."""
    return [cut for cut in group.exceptions if isinstance(cut, _Cut)]


def _end(writer: asyncio.StreamWriter, is_reset: bool) -> None:
    """Close it: with a reset, or in order; what nobody reads is not waited for."""
    if is_reset:
        with suppress(OSError):
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    if is_reset or writer.transport.get_write_buffer_size():
        writer.transport.abort()
    else:
        writer.close()
