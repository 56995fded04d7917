"""What every backend must do, wherever its engine runs."""

from __future__ import annotations

import asyncio

import pytest

from labkit.dialects.events import ApiError
from labkit.sequence import SamplingParams
from server.backend import Backend, Run

__all__ = ["LONG", "callers_leave", "close_while_one_waits", "drained", "free_blocks"]

LONG = SamplingParams(max_tokens=400, ignore_eos=True, seed=1)


def free_blocks(backend: Backend) -> int:
    """Blocks that nobody holds, as the backend says."""
    counts = backend.status().counts
    assert counts is not None
    return counts.free_blocks


async def drained(run: Run) -> None:
    """Read a run to its end."""
    while await run.next() is not None:
        pass


async def callers_leave(backend: Backend) -> None:
    """Twenty submits cancelled before they are answered, then a run and its abort."""
    for number in range(20):
        task = asyncio.create_task(backend.submit(f"r{number}", [5, 6], LONG))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    run = await backend.submit("last", [5, 6], LONG)
    backend.abort("last")
    await drained(run)


async def close_while_one_waits(backend: Backend) -> None:
    """Whoever waits is told that the server stops, and whoever comes then."""
    run = await backend.submit("r", [5, 6], LONG)
    await asyncio.to_thread(backend.close, 5.0)
    with pytest.raises(ApiError, match="stopping"):
        await drained(run)
    with pytest.raises(ApiError, match="stopping"):
        await backend.submit("s", [5, 6], LONG)
