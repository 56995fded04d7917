"""The engine in a process of its own: what crosses, and what a death on a side does."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import psutil
import pytest

from labkit.clock import SystemClock
from labkit.dialects.events import ApiError, FinishReason
from labkit.engine import Engine
from labkit.errors import NeverFits
from labkit.net.client import LabClient
from labkit.net.own_server import OwnServer
from labkit.sequence import SamplingParams
from server.backends import BackendState, EngineProcessClient, Supervision
from server.backends.engine_process import MessageReader
from server.settings import Settings
from tests.support.backend_scenes import (
    ask,
    callers_leave,
    close_while_one_waits,
    outputs_of,
    state_is,
    text_of,
)
from tests.support.faults import large_engine
from tests.support.running import wait_until
from tests.support.served import tiny_engine
from tests.support.splits import every_split

SETTINGS = Settings(num_blocks=32, max_running=1, max_waiting=2)
LOAD = partial(tiny_engine, SETTINGS)
READY = BackendState.READY
QUICK = Supervision(step_timeout_s=0.5)


@asynccontextmanager
async def started(
    load: Callable[[], Engine] = LOAD, supervision: Supervision | None = None
) -> AsyncIterator[EngineProcessClient]:
    """A backend that loads; its process is gone afterwards."""
    backend = EngineProcessClient(load, supervision)
    backend.start()
    try:
        yield backend
    finally:
        await asyncio.to_thread(backend.close, 5.0)
        assert backend.pid is not None
        assert not psutil.pid_exists(backend.pid)


def pid_of(backend: EngineProcessClient) -> int:
    assert backend.pid is not None
    return backend.pid


def test_what_crosses_is_what_the_same_engine_says_here() -> None:
    engine = LOAD()
    messages = [{"role": "user", "content": "naïve 🙂"}]
    text = engine.template.render(messages)
    prompt = engine.tokenizer.encode(text, allow_special=True)
    params = SamplingParams(max_tokens=30, ignore_eos=True, seed=3)
    here = "".join(event.text for event in engine.stream(prompt, params))

    async def scene() -> None:
        async with started() as backend:
            await state_is(backend, READY)
            found = await text_of(backend, ask("r", "naïve 🙂", params, 30))
            assert found == (here, FinishReason.LENGTH)
            scored = replace(params, top_logprobs=2)
            outputs = await outputs_of(backend, ask("s", "hi", scored, 20))
            assert sum(len(output.scores) for output in outputs) == 20
            with pytest.raises(NeverFits) as unfit:
                await outputs_of(backend, ask("t", "x" * 2000))
            assert unfit.value.param is not None
            await callers_leave(backend, SETTINGS.num_blocks)
            await close_while_one_waits(backend)

    asyncio.run(scene())


def test_a_process_that_is_killed_is_replaced_and_everybody_hears_of_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scene() -> None:
        async with started() as backend:
            await state_is(backend, READY)
            waiting = asyncio.create_task(outputs_of(backend, ask("waits")))
            async with aclosing(backend.answer(ask("runs"))) as outputs:
                await anext(outputs)
                os.kill(pid_of(backend), signal.SIGKILL)
                with pytest.raises(ApiError, match="has ended, code -9") as caught:
                    async for _ in outputs:
                        pass
            assert caught.value.problem.code == "engine_restarting"
            with pytest.raises(ApiError, match="has ended, code -9"):
                await waiting
            assert backend.status().state is BackendState.RESTARTING
            await state_is(backend, READY)
            assert backend.status().num_restarts == 1
            assert (await text_of(backend, ask("s", max_tokens=3)))[1] is not None

    asyncio.run(scene())
    assert "restart 1 of 3" in caplog.text


def test_a_process_that_is_stopped_is_replaced() -> None:
    async def scene() -> None:
        async with started(supervision=QUICK) as backend:
            await state_is(backend, READY)
            async with aclosing(backend.answer(ask("runs"))) as outputs:
                await anext(outputs)
                stopped = pid_of(backend)
                os.kill(stopped, signal.SIGSTOP)
                with pytest.raises(ApiError, match=r"said nothing for 0\.5 s"):
                    async for _ in outputs:
                        pass
            await state_is(backend, READY)
            assert (await text_of(backend, ask("s", max_tokens=3)))[1] is not None
            assert not psutil.pid_exists(stopped)

    asyncio.run(scene())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_half_a_message_holds_up_nobody(number: int, tmp_path: Path) -> None:
    marker = tmp_path / "large"
    marker.touch()

    async def scene() -> None:
        async with started(partial(large_engine, SETTINGS, marker), QUICK) as backend:
            async with asyncio.timeout(60):
                while not backend.is_amid_message:  # noqa: ASYNC110
                    await asyncio.sleep(0)
            os.kill(pid_of(backend), number)
            await state_is(backend, BackendState.RESTARTING)
            await state_is(backend, READY)
            assert (await text_of(backend, ask("s", max_tokens=3)))[1] is not None

    asyncio.run(scene())


def test_closing_tells_everybody_at_once_though_the_process_does_not_end() -> None:
    async def scene() -> None:
        async with started() as backend:
            await state_is(backend, READY)
            waiting = asyncio.create_task(outputs_of(backend, ask("waits")))
            async with aclosing(backend.answer(ask("runs"))) as outputs:
                await anext(outputs)
                os.kill(pid_of(backend), signal.SIGSTOP)
                closing = asyncio.create_task(asyncio.to_thread(backend.close, 60.0))
                for reader in (waiting, asyncio.create_task(_rest_of(outputs))):
                    with pytest.raises(ApiError, match="stopping"):
                        await asyncio.wait_for(reader, 30)
                assert not closing.done()
                os.kill(pid_of(backend), signal.SIGCONT)
                await closing

    asyncio.run(scene())


async def _rest_of(outputs: AsyncIterator[object]) -> None:
    async for _ in outputs:
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_whole_group_leaves_the_end_to_the_server(number: int) -> None:
    async def scene() -> None:
        async with started() as backend:
            await state_is(backend, READY)
            os.kill(pid_of(backend), number)
            assert (await text_of(backend, ask("r", max_tokens=30)))[1] is not None
            assert backend.status().num_restarts == 0

    asyncio.run(scene())


def test_a_stopped_process_that_takes_no_commands_does_not_block_the_loop() -> None:
    async def scene() -> None:
        async with started() as backend:
            await state_is(backend, READY)
            os.kill(pid_of(backend), signal.SIGSTOP)
            readers = [
                asyncio.create_task(outputs_of(backend, ask(f"r{n}", "x" * 400)))
                for n in range(200)  # more than a pipe holds
            ]
            async with asyncio.timeout(10):
                await asyncio.sleep(0.5)
            os.kill(pid_of(backend), signal.SIGKILL)
            found = await asyncio.gather(*readers, return_exceptions=True)
            assert all(isinstance(error, ApiError) for error in found)

    asyncio.run(scene())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_engine_ends_with_the_server_however_that_ends(number: int) -> None:
    command = [sys.executable, "-m", "tests.support.tiny_server", "--port", "0"]
    server = OwnServer(SystemClock(), command)
    server.start()
    try:
        assert server.pid is not None
        children = psutil.Process(server.pid).children()
        assert children  # the engine, and multiprocessing's own resource tracker
        os.kill(server.pid, number)
        for child in children:
            wait_until(lambda child=child: not _is_running(child), "processes end")
    finally:
        server.stop()


def test_a_server_whose_engine_is_killed_says_so_and_serves_again() -> None:
    command = [sys.executable, "-m", "tests.support.tiny_server", "--port", "0"]
    server = OwnServer(SystemClock(), command)
    url = server.start()
    try:
        before = _children(server)
        assert _health(url)["restarts"] == 0
        for child in before:
            child.kill()
        wait_until(lambda: _health(url)["restarts"] == 1, "the death is noticed", 60)
        wait_until(lambda: _health(url)["status"] == "ok", "a new engine serves", 60)
        assert not {child.pid for child in _children(server)} & {
            child.pid for child in before
        }
        client = LabClient(url, SystemClock())
        with client.stream([{"role": "user", "content": "hi"}], max_tokens=2) as answer:
            assert any(chunk.kind == "finish" for chunk in answer)
    finally:
        server.stop()


def _children(server: OwnServer) -> list[psutil.Process]:
    assert server.pid is not None
    return psutil.Process(server.pid).children()


def _health(url: str) -> Any:
    """What /health says, with whatever status."""
    try:
        with urllib.request.urlopen(url + "/health", timeout=20) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return json.load(error)


def _is_running(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_messages_are_read_whole_under_every_split() -> None:
    reading, writing = Pipe(duplex=False)
    for message in ("", "a", "naïve"):
        writing.send(message)
    writing.close()
    data = os.read(reading.fileno(), 65536)
    for pieces in every_split(data):
        reader = MessageReader()
        found = [pickle.loads(m) for piece in pieces for m in reader.feed(piece)]
        assert found == ["", "a", "naïve"]
        assert not reader.is_amid


def test_a_length_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="-1 bytes"):
        MessageReader().feed(b"\xff\xff\xff\xff")
