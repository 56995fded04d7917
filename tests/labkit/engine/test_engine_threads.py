"""One engine in several threads, several engines on one model: all answers right."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labkit.clock import SystemClock
from labkit.config import EngineConfig
from labkit.engine import Engine
from labkit.model.loaded import LoadedModel
from labkit.model.weights import load_model
from tests.support.engines import HELLO, knobs, tiny_engine
from tests.support.gguf_writer import Packed, write_gguf
from tests.support.tiny import packable_config, random_tensors, tiny_model

PROMPTS = [HELLO, HELLO[:4], (7, 8, 9), (250, 3, 60, 60, 61)]
GREEDY = knobs(max_tokens=12, temperature=0.0)


@pytest.fixture(scope="module", params=["pytorch", "kernels"])
def model(
    request: pytest.FixtureRequest, tmp_path_factory, cache: Path
) -> Iterator[LoadedModel]:
    """A tiny model that PyTorch computes, and one that the C kernels compute."""
    if request.param == "pytorch":
        yield tiny_model()
        return
    folder: Path = tmp_path_factory.mktemp("packed")
    tensors = random_tensors(packable_config(), 5)
    write_gguf(folder / "t.gguf", packable_config(), Packed(tensors))
    loaded = load_model(folder / "t.gguf", cache=cache)
    assert loaded.decoder.packed is not None
    yield loaded


def engine_on(model: LoadedModel) -> Engine:
    return Engine(model, EngineConfig(block_size=4, num_blocks=64), SystemClock())


def answer(engine: Engine, prompt: tuple[int, ...]) -> list[int | None]:
    return [event.token_id for event in engine.stream(prompt, GREEDY)]


def at_once(*works: Callable[[], None]) -> None:
    """Run all in threads of their own; a failure in one of them fails the test."""
    failures: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "a thread hangs"
    assert not failures, failures


def test_two_engines_on_one_model_give_what_each_gives_alone(
    model: LoadedModel,
) -> None:
    alone = {prompt: answer(engine_on(model), prompt) for prompt in PROMPTS}

    def fifty_answers() -> None:
        engine = engine_on(model)
        for number in range(50):
            prompt = PROMPTS[number % len(PROMPTS)]
            assert answer(engine, prompt) == alone[prompt]
            engine.reset_cache()

    at_once(fifty_answers, fifty_answers)


def test_streams_of_one_engine_in_several_threads_all_get_their_own_events(
    model: LoadedModel,
) -> None:
    alone = {prompt: answer(engine_on(model), prompt) for prompt in PROMPTS}
    engine = engine_on(model)

    def ten_answers(first: int) -> None:
        for number in range(10):
            prompt = PROMPTS[(first + number) % len(PROMPTS)]
            assert answer(engine, prompt) == alone[prompt]

    at_once(*(lambda first=first: ten_answers(first) for first in range(4)))
    engine.check()
    assert not engine.has_work
    assert engine.counts().free_blocks == 64


def test_every_verb_may_be_used_while_another_thread_streams() -> None:
    alone = answer(tiny_engine(), HELLO)
    engine, is_over = tiny_engine(), threading.Event()

    def stream() -> None:
        try:
            for _ in range(8):
                assert answer(engine, HELLO) == alone
        finally:
            is_over.set()

    def meddle() -> None:
        while not is_over.is_set():
            one = engine.add(HELLO[:3], knobs(40))
            two, three = engine.add_choices(HELLO[:5], knobs(40), 2)
            engine.step()
            fork = engine.fork(one, params=knobs(40))
            engine.observe(lambda report: None)()
            engine.counts(), engine.cache_stats(), engine.draft_stats()
            assert sum(view.ref_count > 0 for view in engine.block_views()) > 0
            assert not engine.reset_cache()
            engine.check()
            for request in (one, two, three, fork):
                assert engine.abort(request)

    at_once(stream, meddle)
    engine.step()
    engine.check()
    assert engine.counts().free_blocks == 64
