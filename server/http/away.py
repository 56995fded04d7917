"""Work that stops when the client it is done for has left.

An ASGI server tells of a departure only to whoever receives, and nobody does while an
answer is being made. `unless_gone` receives beside the work; it returns with nothing of
its own still running.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from server.errors import ClientGone
from server.http.body import Receive

__all__ = ["unless_gone"]

T = TypeVar("T")


async def unless_gone(receive: Receive, work: Awaitable[T]) -> T:
    """Do `work`, or stop it and raise `ClientGone` as soon as the client leaves."""
    task = asyncio.ensure_future(_awaited(work))
    watcher = asyncio.ensure_future(_departure(receive))
    try:
        await asyncio.wait({task, watcher}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientGone("the client left")
    finally:
        task.cancel()
        watcher.cancel()
        await asyncio.gather(task, watcher, return_exceptions=True)


async def _awaited(work: Awaitable[T]) -> T:
    return await work  # an async generator's next step is awaitable, yet no coroutine


async def _departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
