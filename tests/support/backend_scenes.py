"""What every backend with an engine must do, wherever its engine runs."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from labkit.dialects.events import ApiError, FinishReason, Message, Role
from labkit.sequence import SamplingParams
from server.backends import Backend, BackendRequest, BackendState
from server.outputs import Output

__all__ = [
    "LONG",
    "ask",
    "callers_leave",
    "close_while_one_waits",
    "free_blocks",
    "outputs_of",
    "state_is",
    "text_of",
]

LONG = SamplingParams(ignore_eos=True, seed=1)


def ask(
    request_id: str,
    text: str = "hi",
    params: SamplingParams = LONG,
    max_tokens: int = 400,
    **others: Any,
) -> BackendRequest:
    """A request with one message."""
    messages = (Message(Role.USER, text),)
    return BackendRequest(request_id, messages, params, max_tokens, **others)


def free_blocks(backend: Backend) -> int:
    """Blocks that nobody holds, as the backend says."""
    counts = backend.status().counts
    assert counts is not None
    return counts.free_blocks


async def outputs_of(backend: Backend, request: BackendRequest) -> list[Output]:
    """All that a backend says about a request."""
    async with aclosing(backend.answer(request)) as outputs:
        return [output async for output in outputs]


async def text_of(backend: Backend, request: BackendRequest) -> tuple[str, Any]:
    """The whole text of an answer, and how it ends."""
    outputs = await outputs_of(backend, request)
    return "".join(output.text for output in outputs), outputs[-1].finish


async def state_is(backend: Backend, *states: BackendState) -> None:
    """Wait until the backend is in one of `states`, a minute at most."""
    async with asyncio.timeout(60):
        while backend.status().state not in states:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def idle(backend: Backend, num_blocks: int) -> None:
    """Wait until every block is free again."""
    async with asyncio.timeout(60):
        while free_blocks(backend) != num_blocks:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def callers_leave(backend: Backend, num_blocks: int) -> None:
    """Twenty readers that leave at different moments: nothing stays behind."""
    for number in range(20):
        reading = asyncio.create_task(outputs_of(backend, ask(f"r{number}")))
        for _ in range(number):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    async with aclosing(backend.answer(ask("last"))) as outputs:
        await anext(outputs)
        backend.abort("last")
        rest = [output async for output in outputs]
        assert rest[-1].finish is FinishReason.CANCELLED
    await idle(backend, num_blocks)


async def close_while_one_waits(backend: Backend) -> None:
    """Whoever waits is told that the server stops, and whoever comes then."""
    async with aclosing(backend.answer(ask("r"))) as outputs:
        await anext(outputs)
        await asyncio.to_thread(backend.close, 5.0)
        with pytest.raises(ApiError, match="stopping"):
            async for _ in outputs:
                pass
    with pytest.raises(ApiError, match="stopping"):
        await outputs_of(backend, ask("s"))
