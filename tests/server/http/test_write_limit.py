"""The limit of a write: it ends one that is stuck, and leaves all others alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from server.http.connection import write_limit

LIMIT_S = 0.3


def test_a_stuck_write_is_ended() -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        async with write_limit(LIMIT_S) as limit:
            await asyncio.sleep(0.25 * LIMIT_S)
            limit.began_s = asyncio.get_running_loop().time()
            began_s = loop.time()
            try:
                await asyncio.sleep(60)
            finally:
                assert loop.time() - began_s >= 0.99 * LIMIT_S

    with pytest.raises(TimeoutError):
        asyncio.run(scene())


def test_many_writes_may_take_longer_together() -> None:
    async def scene() -> None:
        async with write_limit(LIMIT_S) as limit:
            for _ in range(6):
                limit.began_s = asyncio.get_running_loop().time()
                await asyncio.sleep(0.25 * LIMIT_S)

    asyncio.run(scene())


def test_nothing_to_write_is_no_stall() -> None:
    async def scene() -> None:
        async with write_limit(LIMIT_S) as limit:
            limit.began_s = asyncio.get_running_loop().time()
            limit.began_s = None
            await asyncio.sleep(1.5 * LIMIT_S)

    asyncio.run(scene())


def test_no_timer_is_left_behind() -> None:
    async def fail() -> None:
        async with write_limit(LIMIT_S) as limit:
            limit.began_s = asyncio.get_running_loop().time()
            raise ValueError("of the writer's own")

    complaints: list[dict[str, Any]] = []

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        with pytest.raises(ValueError, match="of the writer's own"):
            await fail()
        await asyncio.sleep(1.5 * LIMIT_S)  # a timer that was left finds it is over

    asyncio.run(scene())
    assert not complaints
