"""A client of an engine core: what requests hear, whatever becomes of the engine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from labkit.dialects.events import ApiError, FinishReason, Message, Role
from labkit.engine import Engine
from labkit.errors import NeverFits, QueueFull
from labkit.records import Usage
from labkit.sequence import SamplingParams
from server.backends import (
    BackendState,
    EngineClient,
    InProcessClient,
    Supervision,
)
from server.outputs import Observer, Output
from server.settings import Settings
from tests.support.backend_scenes import (
    LONG,
    ask,
    callers_leave,
    close_while_one_waits,
    free_blocks,
    outputs_of,
    state_is,
    text_of,
)
from tests.support.faults import faulty_engine
from tests.support.served import no_engine, tiny_engine

SETTINGS = Settings(num_blocks=32, max_running=1, max_waiting=2)
LOAD = partial(tiny_engine, SETTINGS)
READY, FAILED = BackendState.READY, BackendState.FAILED
ONE = SamplingParams(seed=1)


@asynccontextmanager
async def started(
    load: Callable[[], Engine] = LOAD,
    supervision: Supervision | None = None,
) -> AsyncIterator[EngineClient]:
    """A backend that has loaded, or has failed to; closed afterwards."""
    backend = InProcessClient(load, supervision)
    backend.start()
    try:
        await state_is(backend, READY, FAILED)
        yield backend
    finally:
        await asyncio.to_thread(backend.close, 5.0)


def test_an_answer_says_what_the_same_engine_says_here() -> None:
    engine = LOAD()
    messages = [{"role": "user", "content": "naïve 🙂"}]
    prompt = engine.tokenizer.encode(
        engine.template.render(messages), allow_special=True
    )
    params = SamplingParams(max_tokens=30, ignore_eos=True, seed=3)
    here = "".join(event.text for event in engine.stream(prompt, params))

    async def scene() -> None:
        async with started() as backend:
            found = await text_of(backend, ask("r", "naïve 🙂", params, 30))
            assert found == (here, FinishReason.LENGTH)
            assert await backend.count([Message(Role.USER, "naïve 🙂")]) == len(prompt)
            assert free_blocks(backend) == SETTINGS.num_blocks

    asyncio.run(scene())


def test_the_first_output_says_how_the_prompt_was_made() -> None:
    async def scene() -> None:
        async with started() as backend:
            first, *_, last = await outputs_of(backend, ask("r", max_tokens=9999))
            assert first.accepted is not None
            num_prompt = first.usage.prompt_tokens
            assert first.accepted.max_tokens == 512 - num_prompt  # 32 blocks of 16
            assert first.accepted.rendered_s <= first.accepted.tokenized_s
            assert last.usage == Usage(num_prompt, 512 - num_prompt, 0)
            again = await outputs_of(backend, ask("s", max_tokens=1))
            assert again[-1].usage.cached_tokens > 0

    asyncio.run(scene())


def test_a_stop_string_is_named_and_each_token_has_one_score() -> None:
    async def scene() -> None:
        async with started() as backend:
            scored = replace(LONG, top_logprobs=2)
            outputs = await outputs_of(backend, ask("r", "hi", scored, 20))
            scores = [score for output in outputs for score in output.scores]
            assert len(scores) == outputs[-1].usage.completion_tokens == 20
            assert all(len(score.top) == 2 for score in scores)
            spelled = b"".join(score.raw or b"" for score in scores)
            text = "".join(output.text for output in outputs)
            assert spelled.decode("utf-8", "replace") == text
            stop = next(c for c in text if c.isascii() and c.isalpha())
            stopped = replace(LONG, stop=(stop,))
            last = (await outputs_of(backend, ask("s", "hi", stopped, 20)))[-1]
            assert (last.finish, last.stop) == (FinishReason.STOP, stop)

    asyncio.run(scene())


def test_only_requests_of_one_salt_share_what_is_cached() -> None:
    async def scene() -> None:
        async with started() as backend:
            cached = []
            for number, salt in enumerate(("mine", "yours", "mine", None)):
                request = ask(f"r{number}", "x" * 99, max_tokens=1, salt=salt)
                outputs = await outputs_of(backend, request)
                cached.append(outputs[-1].usage.cached_tokens > 0)
            assert cached == [False, False, True, False]

    asyncio.run(scene())


def test_refusals_come_with_all_that_they_know() -> None:
    async def scene() -> None:
        async with started() as backend:
            with pytest.raises(NeverFits) as unfit:
                await outputs_of(backend, ask("r", "x" * 2000))
            assert unfit.value.param is not None
            first, second, third = (backend.answer(ask(name)) for name in "abd")
            async with aclosing(first), aclosing(second), aclosing(third):
                await anext(first)
                await anext(second)
                await anext(third)
                with pytest.raises(QueueFull) as full:
                    await outputs_of(backend, ask("c"))
                assert full.value.retry_after_s > 0

    asyncio.run(scene())


def test_readers_that_leave_leave_nothing() -> None:
    async def scene() -> None:
        async with started() as backend:
            await callers_leave(backend, SETTINGS.num_blocks)

    asyncio.run(scene())


def test_closing_answers_whoever_still_waits() -> None:
    async def scene() -> None:
        async with started() as backend:
            await close_while_one_waits(backend)

    asyncio.run(scene())


def test_weights_that_cannot_be_read_are_told_and_not_tried_again() -> None:
    async def scene() -> None:
        async with started(no_engine) as backend:
            with pytest.raises(ApiError, match="weights are corrupt") as caught:
                await outputs_of(backend, ask("r"))
            assert caught.value.problem.code == "model_unavailable"
            assert caught.value.problem.should_retry is False
            assert backend.status().num_restarts == 0

    asyncio.run(scene())


def test_observers_hear_of_what_nobody_has_read() -> None:
    heard, usages = threading.Event(), list[Usage]()

    class Ear(Observer):
        def on_event(self, output: Output) -> None:
            usages.append(output.usage)
            if output.usage.completion_tokens == 5:
                heard.set()

    async def scene() -> None:
        async with started() as backend:
            request = ask("r", max_tokens=50, observers=(Ear(),))
            async with aclosing(backend.answer(request)) as outputs:
                await anext(outputs)  # and no more
                await asyncio.to_thread(heard.wait, 10)
            assert usages[-1].completion_tokens >= 5

    asyncio.run(scene())


def test_an_observer_that_fails_fails_its_own_request_only() -> None:
    class Broken(Observer):
        def on_event(self, output: Output) -> None:
            if output.index == 2:
                raise RuntimeError("no space left on device")

    async def scene() -> None:
        async with started() as backend:
            with pytest.raises(RuntimeError, match="no space"):
                await outputs_of(backend, ask("r", observers=(Broken(),)))
            assert (await text_of(backend, ask("s", max_tokens=3)))[1] is not None

    asyncio.run(scene())


@pytest.mark.parametrize("fault", ["raise", "nan"])
def test_an_engine_that_keeps_failing_is_replaced(
    fault: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    marker, gate, loads = tmp_path / "broken", threading.Event(), list[int]()
    marker.touch()

    def load() -> Engine:
        loads.append(1)
        assert len(loads) == 1 or gate.wait(30)
        return faulty_engine(SETTINGS, fault, 3, marker)

    async def scene() -> None:
        async with started(load) as backend:
            for number in range(3):
                with pytest.raises(ApiError, match="engine failed") as caught:
                    await outputs_of(backend, ask(f"r{number}"))
                assert caught.value.problem.status == 500
            await state_is(backend, BackendState.RESTARTING)
            restarting = backend.status()
            assert "restart 1 of 3" in restarting.detail
            with pytest.raises(ApiError, match="restart 1 of 3") as caught:
                await outputs_of(backend, ask("too soon"))
            assert caught.value.problem.code == "engine_restarting"
            assert caught.value.problem.retry_after_s is not None
            gate.set()
            await state_is(backend, READY)
            assert backend.status().num_restarts == 1
            assert (await text_of(backend, ask("s", max_tokens=3)))[1] is not None

    asyncio.run(scene())
    assert "restart 1 of 3" in caplog.text
    assert "a new engine has taken over" in caplog.text


def test_one_step_that_fails_costs_its_requests_only(tmp_path: Path) -> None:
    async def scene() -> None:
        load = partial(faulty_engine, SETTINGS, "once", 3)
        async with started(load) as backend:
            with pytest.raises(ApiError, match="engine failed"):
                await outputs_of(backend, ask("r"))
            assert (await text_of(backend, ask("s", max_tokens=30)))[1] is not None
            assert backend.status().num_restarts == 0

    asyncio.run(scene())


def test_an_engine_that_says_nothing_is_replaced(tmp_path: Path) -> None:
    marker = tmp_path / "broken"
    marker.touch()

    async def scene() -> None:
        load = partial(faulty_engine, SETTINGS, "hang", 3, marker)
        async with started(load, Supervision(step_timeout_s=0.3)) as backend:
            running, waiting = (
                asyncio.create_task(outputs_of(backend, ask(name))) for name in "ab"
            )
            for request in (running, waiting):
                with pytest.raises(ApiError, match=r"said nothing for 0\.3 s"):
                    await request
            await state_is(backend, READY)
            assert (await text_of(backend, ask("s", max_tokens=3)))[1] is not None

    asyncio.run(scene())


def test_an_engine_that_dies_again_and_again_is_given_up() -> None:
    async def scene() -> None:
        load = partial(faulty_engine, SETTINGS, "raise")
        async with started(load, Supervision(max_restarts=1)) as backend:
            for number in range(9):
                await state_is(backend, READY, FAILED)
                with pytest.raises(ApiError):
                    await outputs_of(backend, ask(f"r{number}"))
            await state_is(backend, FAILED)
            assert "start the server anew" in backend.status().detail
            with pytest.raises(ApiError) as caught:
                await outputs_of(backend, ask("late"))
            assert caught.value.problem.code == "model_unavailable"
            assert caught.value.problem.should_retry is False

    asyncio.run(scene())
