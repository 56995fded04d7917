"""The engine in a thread; what it shares with other backends is tested with them."""

from __future__ import annotations

import asyncio
import threading

from labkit.engine import Engine
from labkit.errors import LabError
from server.backends import InProcessClient


def test_a_thread_that_outlives_the_event_loop_ends_without_a_word() -> None:
    gate = threading.Event()

    def load() -> Engine:
        assert gate.wait(10), "the test opens it"
        raise LabError("there is nobody left to hear this")

    async def scene() -> list[threading.Thread]:
        before = set(threading.enumerate())
        InProcessClient(load).start()
        return [t for t in threading.enumerate() if t not in before]

    [thread] = asyncio.run(scene())
    gate.set()
    thread.join(10)
    assert not thread.is_alive()  # pytest fails where it has ended with an exception
