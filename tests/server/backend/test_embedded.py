"""The engine's thread: loading, refusing, failing and ending, always with an answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from labkit.clock import SystemClock
from labkit.config import EngineConfig
from labkit.dialects.events import ApiError
from labkit.engine import Engine
from labkit.errors import NeverFits, WeightsError
from labkit.records import StepReport
from labkit.sequence import SamplingParams
from server.backend import BackendState, EmbeddedEngine
from tests.support.backend_scenes import (
    LONG,
    callers_leave,
    close_while_one_waits,
    drained,
    free_blocks,
)
from tests.support.running import wait_until
from tests.support.tiny import tiny_model

CONFIG = EngineConfig(num_blocks=32, max_waiting=2)


class FragileEngine(Engine):
    """Fails on its steps for as long as it is told to."""

    is_broken = True

    def step(self) -> StepReport:
        if self.is_broken and self._registry.open:
            raise RuntimeError("no electricity")
        return super().step()


def tiny_engine(kind: type[Engine] = Engine) -> Engine:
    return kind(tiny_model(), CONFIG, SystemClock())


Make = Callable[[Callable[[], Engine]], EmbeddedEngine]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[EmbeddedEngine] = []

    def start(load: Callable[[], Engine]) -> EmbeddedEngine:
        made.append(EmbeddedEngine(load))
        made[-1].start()
        return made[-1]

    yield start
    for backend in made:
        backend.close(5.0)


def ready(backend: EmbeddedEngine) -> EmbeddedEngine:
    wait_until(lambda: backend.status().state is BackendState.READY, "the model loads")
    return backend


def refusal_of(backend: EmbeddedEngine) -> ApiError:
    with pytest.raises(ApiError) as caught:
        backend.served()
    return caught.value


def test_requests_are_told_to_come_back_while_the_model_is_loaded(make: Make) -> None:
    gate = threading.Event()

    def slowly() -> Engine:
        gate.wait(5)
        return tiny_engine()

    backend = make(slowly)
    problem = refusal_of(backend).problem
    assert (problem.status, problem.code) == (503, "model_loading")
    assert problem.retry_after_s == 1.0
    gate.set()
    assert ready(backend).served().name == "tiny"


def test_a_model_that_cannot_be_loaded_says_why(make: Make) -> None:
    def never() -> Engine:
        raise WeightsError("weights are corrupt: fetch them again")

    backend = make(never)
    failed = BackendState.FAILED
    wait_until(lambda: backend.status().state is failed, "loading fails")
    problem = refusal_of(backend).problem
    assert "weights are corrupt" in problem.message
    assert (problem.code, problem.retry_after_s) == ("model_unavailable", None)


def test_an_abort_frees_the_blocks_and_ends_the_run(make: Make) -> None:
    backend = ready(make(tiny_engine))

    async def scene() -> None:
        run = await backend.submit("r", [5, 6, 7], LONG)
        assert (await run.next()) is not None
        backend.abort("r")
        await drained(run)

    asyncio.run(scene())
    assert free_blocks(backend) == CONFIG.num_blocks


def test_what_never_fits_is_refused_by_the_engine(make: Make) -> None:
    backend = ready(make(tiny_engine))
    with pytest.raises(NeverFits):
        asyncio.run(backend.submit("r", [5] * 2000, LONG))


def test_a_caller_that_leaves_while_waiting_leaves_nothing(make: Make) -> None:
    backend = ready(make(tiny_engine))
    asyncio.run(callers_leave(backend))
    assert free_blocks(backend) == CONFIG.num_blocks


def test_a_step_that_fails_is_told_to_its_runs_and_the_thread_goes_on(
    make: Make,
) -> None:
    engine = FragileEngine(tiny_model(), CONFIG, SystemClock())
    backend = ready(make(lambda: engine))

    async def scene() -> None:
        run = await backend.submit("r", [5, 6], LONG)
        with pytest.raises(ApiError, match="engine failed"):
            await run.next()
        engine.is_broken = False
        again = await backend.submit("s", [5, 6], SamplingParams(max_tokens=1, seed=1))
        advance = await again.next()
        assert advance is not None
        assert advance.events[0].finish is not None

    asyncio.run(scene())
    assert free_blocks(backend) == CONFIG.num_blocks


def test_an_engine_that_keeps_failing_is_given_up(make: Make) -> None:
    backend = ready(make(lambda: tiny_engine(FragileEngine)))

    async def scene() -> None:
        for number in range(4):
            run = await backend.submit(f"r{number}", [5, 6], LONG)
            with pytest.raises(ApiError):
                await run.next()

    asyncio.run(scene())
    failed = BackendState.FAILED
    wait_until(lambda: backend.status().state is failed, "the engine is given up")


def test_closing_answers_whoever_still_waits(make: Make) -> None:
    asyncio.run(close_while_one_waits(ready(make(tiny_engine))))


def test_control_tokens_have_a_name_and_no_bytes(make: Make) -> None:
    backend = ready(make(tiny_engine))
    assert backend.token(2) == ("<|im_end|>", None)
    assert backend.token(3 + ord("a")) == ("a", b"a")
