"""The engine in a process of its own: what crosses, and what a death on a side does."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import psutil
import pytest

from labkit.clock import SystemClock
from labkit.dialects.events import ApiError
from labkit.engine import Engine
from labkit.errors import NeverFits, QueueFull
from labkit.net.own_server import OwnServer
from labkit.sequence import FinishReason, SamplingParams
from server.backend import BackendState, EngineProcess, Run
from server.settings import Settings
from tests.support.backend_scenes import (
    LONG,
    callers_leave,
    close_while_one_waits,
    free_blocks,
)
from tests.support.running import wait_until
from tests.support.served import no_engine, tiny_engine

SETTINGS = Settings(num_blocks=32, max_running=1, max_waiting=1)
LOAD = partial(tiny_engine, SETTINGS)


@asynccontextmanager
async def started(load: Callable[[], Engine] = LOAD) -> AsyncIterator[EngineProcess]:
    """A backend that has loaded, or has failed to; its process is gone afterwards."""
    backend = EngineProcess(load)
    backend.start()
    try:
        while backend.status().state is BackendState.LOADING:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        yield backend
    finally:
        await asyncio.to_thread(backend.close, 5.0)
        assert backend.pid is not None
        assert not psutil.pid_exists(backend.pid)


async def text_of(run: Run) -> tuple[str, FinishReason | None]:
    """All that a run says, and how it ends."""
    text, finish = "", None
    while finish is None and (advance := await run.next()) is not None:
        for event in advance.events:  # type: ignore[union-attr]
            text, finish = text + event.text, event.finish
    return text, finish


def test_a_run_says_what_the_same_engine_says_here() -> None:
    params = SamplingParams(max_tokens=30, ignore_eos=True, seed=3)
    here = "".join(event.text for event in LOAD().stream([5, 6, 7], params))

    async def scene() -> None:
        async with started() as backend:
            run = await backend.submit("r", [5, 6, 7], params)
            assert await text_of(run) == (here, FinishReason.LENGTH)
            assert free_blocks(backend) == SETTINGS.num_blocks

    asyncio.run(scene())


def test_prompts_are_written_here_as_the_engine_would() -> None:
    engine, messages = LOAD(), [{"role": "user", "content": "naïve 🙂"}]
    prompt = engine.template.render(messages)

    async def scene() -> None:
        async with started() as backend:
            assert backend.render(messages) == prompt
            ids = engine.tokenizer.encode(prompt, allow_special=True)
            assert backend.encode(prompt) == ids
            assert backend.served().name == engine.model_name

    asyncio.run(scene())


def test_refusals_cross_with_all_that_they_know() -> None:
    async def scene() -> None:
        async with started() as backend:
            with pytest.raises(NeverFits) as unfit:
                await backend.submit("r", [5] * 2000, LONG)
            assert unfit.value.param is not None
            runs = [await backend.submit(name, [5, 6], LONG) for name in ("a", "b")]
            with pytest.raises(QueueFull) as full:
                await backend.submit("c", [5, 6], LONG)
            assert full.value.retry_after_s > 0
            for run in runs:
                backend.abort(run.request)
                assert (await text_of(run))[1] is None
            assert free_blocks(backend) == SETTINGS.num_blocks

    asyncio.run(scene())


def test_weights_that_cannot_be_read_are_told() -> None:
    async def scene() -> None:
        async with started(no_engine) as backend:
            assert backend.status().state is BackendState.FAILED
            with pytest.raises(ApiError, match="weights are corrupt"):
                await backend.submit("r", [5, 6], LONG)

    asyncio.run(scene())


def test_a_process_that_dies_is_told_to_its_runs_and_to_later_ones() -> None:
    async def scene() -> None:
        async with started() as backend:
            run = await backend.submit("r", [5, 6], LONG)
            await run.next()
            assert backend.pid is not None
            os.kill(backend.pid, signal.SIGKILL)
            with pytest.raises(ApiError, match="has ended, code -9"):
                await text_of(run)
            with pytest.raises(ApiError, match="has ended, code -9"):
                await backend.submit("s", [5, 6], LONG)

    asyncio.run(scene())


def test_closing_answers_whoever_still_waits() -> None:
    async def scene() -> None:
        async with started() as backend:
            await close_while_one_waits(backend)

    asyncio.run(scene())


def test_a_caller_that_leaves_while_waiting_leaves_nothing() -> None:
    async def scene() -> None:
        async with started() as backend:
            await callers_leave(backend)
            assert free_blocks(backend) == SETTINGS.num_blocks

    asyncio.run(scene())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_engine_ends_with_the_server_however_that_ends(number: int) -> None:
    command = [sys.executable, "-m", "tests.support.tiny_server", "--port", "0"]
    server = OwnServer(SystemClock(), command)
    server.start()
    try:
        assert server.pid is not None
        children = psutil.Process(server.pid).children()
        assert len(children) == 1
        os.kill(server.pid, number)
        wait_until(lambda: not _is_running(children[0]), "the engine's process ends")
    finally:
        server.stop()


def _is_running(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
