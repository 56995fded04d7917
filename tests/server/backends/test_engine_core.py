"""What owns the engine: what it tells of a model, and of an engine that fails."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from functools import partial

import pytest

from labkit.clock import SystemClock
from labkit.dialects.events import ApiError, FinishReason
from labkit.engine import Engine
from labkit.model.loaded import LoadedModel
from labkit.sequence import SamplingParams
from server.backends import BackendState, InProcessClient, Supervision
from server.backends.engine_core import (
    Add,
    EngineCore,
    Loaded,
    News,
    Over,
    Stepped,
    Stop,
)
from server.settings import Settings
from tests.support.backend_scenes import ask, outputs_of, state_is
from tests.support.faults import faulty_engine
from tests.support.running import wait_until
from tests.support.tiny import tiny_model

SETTINGS = Settings(num_blocks=32, max_running=2, max_waiting=2)
ONE = SamplingParams(max_tokens=3, seed=1)


def engine_with(template: str | None) -> Engine:
    model = tiny_model()
    spec = replace(model.tokenizer, chat_template=template)
    other = LoadedModel(model.config, model.decoder, spec, model.name)
    return Engine(other, SETTINGS.engine(), SystemClock())


def told_by(core: EngineCore, told: list[News], *requests: Add) -> None:
    """Let the core work on the requests, one after the other, to their ends."""
    thread = threading.Thread(target=core.run)
    thread.start()
    for request in requests:
        core.put(request)
        name = request.request_id
        wait_until(lambda name=name: is_over(told, name), f"{name} ends")
    core.put(Stop())
    thread.join(10)
    assert not thread.is_alive()


def is_over(told: list[News], name: str) -> bool:
    ends = [
        output.finish
        for news in list(told)
        if isinstance(news, Stepped)
        for request_id, output in news.outputs
        if request_id == name
    ]
    return any(ends) or any(isinstance(news, Over) for news in list(told))


def test_a_model_that_fails_for_good_is_given_up_after_three_steps() -> None:
    told: list[News] = []
    core = EngineCore(partial(faulty_engine, SETTINGS, "raise"), told.append)
    told_by(core, told, *(Add(f"r{n}", (5, 6, 7), ONE) for n in range(20)))
    [over] = [news for news in told if isinstance(news, Over)]
    assert over.can_restart
    assert "CUDA error" in over.detail
    steps = [news for news in told if isinstance(news, Stepped)]
    assert len(steps) == 3
    ends = [output.finish for news in steps for _, output in news.outputs]
    assert ends == [FinishReason.ERROR] * 3


def test_a_core_that_is_stopped_says_so_last() -> None:
    told: list[News] = []
    core = EngineCore(lambda: engine_with(None), told.append)
    told_by(core, told, Add("r", (5, 6, 7), ONE))
    assert isinstance(told[0], Loaded)
    assert told[0].served.kernels == "torch"
    assert told[-1] == Over("the server is stopping", can_restart=False)


@pytest.mark.parametrize(
    ("template", "fault"),
    [(None, "has no chat template"), ("{% for %}", "cannot be read: line 1")],
)
def test_what_a_models_template_lacks_is_found_when_it_is_loaded(
    template: str | None, fault: str
) -> None:
    async def scene() -> None:
        backend = InProcessClient(lambda: engine_with(template))
        backend.start()
        await state_is(backend, BackendState.READY)
        assert fault in (backend.served().template_fault or "")
        with pytest.raises(ApiError, match=fault) as caught:
            await outputs_of(backend, ask("r"))
        assert caught.value.problem.status == 400
        assert caught.value.problem.code == "no_chat_template"
        await asyncio.to_thread(backend.close, 5.0)

    asyncio.run(scene())


def test_restarts_that_are_long_past_do_not_count() -> None:
    async def scene() -> None:
        load = partial(faulty_engine, SETTINGS, "raise")
        forgetful = Supervision(max_restarts=1, restart_window_s=1e-9)
        backend = InProcessClient(load, forgetful)
        backend.start()
        number = 0
        while backend.status().num_restarts < 3:
            await state_is(backend, BackendState.READY)
            with pytest.raises(ApiError):
                await outputs_of(backend, ask(f"r{number}"))
            number += 1
        await state_is(backend, BackendState.READY)
        await asyncio.to_thread(backend.close, 5.0)

    asyncio.run(scene())
