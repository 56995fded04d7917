"""What a step does when the model, a callback or a reader's Ctrl-C gets in its way."""

from __future__ import annotations

import logging

import pytest
from torch import Tensor

from labkit.clock import FakeClock
from labkit.config import EngineConfig
from labkit.engine.engine import MAX_FAILED_STEPS, Engine
from labkit.errors import EngineBusy, EngineDead
from labkit.records import StageView, StepReport
from labkit.sequence import FinishReason
from tests.support.engines import HELLO, drain, events_of, knobs, tiny_engine, tokens_of
from tests.support.faulty_decoder import (
    FaultyDecoder,
    faulty,
    not_a_number,
    sticky_error,
)
from tests.support.tiny import tiny_model

GREEDY = knobs(temperature=0.0)


def fragile(**config: int) -> tuple[Engine, FaultyDecoder]:
    model, decoder = faulty(tiny_model())
    small = {"block_size": 4, "num_blocks": 64, **config}
    return Engine(model, EngineConfig(**small), FakeClock()), decoder


def healthy_answer(prompt: tuple[int, ...] = HELLO) -> list[int | None]:
    engine = tiny_engine()
    name = engine.add(prompt, GREEDY)
    return tokens_of(drain(engine))[name]


def finishes(reports: list[StepReport]) -> dict[str, FinishReason | None]:
    return {name: found[-1].finish for name, found in events_of(reports).items()}


def test_failing_step_ends_its_requests_and_leaves_the_engine_alive() -> None:
    engine, decoder = fragile(max_running=2)
    for name in ("one", "two", "later"):
        engine.add(HELLO, GREEDY, request=name)
    decoder.fault = sticky_error
    report = engine.step()
    assert report.error == "RuntimeError: CUDA error: device-side assert triggered"
    assert finishes([report]) == dict.fromkeys(("one", "two"), FinishReason.ERROR)
    engine.check()
    assert (engine.counts().free_blocks, engine.num_failed_steps) == (64, 1)
    decoder.fault = None
    assert tokens_of(drain(engine))["later"] == healthy_answer()
    assert engine.num_failed_steps == 0


@pytest.mark.parametrize("fault", [sticky_error, not_a_number()])
def test_model_that_fails_on_step_after_step_is_given_up(fault: object) -> None:
    engine, decoder = fragile(max_running=1, max_waiting=9)
    names = [engine.add(HELLO, GREEDY) for _ in range(MAX_FAILED_STEPS + 2)]
    decoder.fault = fault  # type: ignore[assignment]  # one of the two above
    reports = drain(engine)
    assert len(reports) == MAX_FAILED_STEPS
    assert finishes(reports) == dict.fromkeys(names, FinishReason.ERROR)
    assert engine.is_dead
    with pytest.raises(EngineDead, match="on 3 steps in a row, the last time with"):
        engine.add(HELLO, GREEDY)
    with pytest.raises(EngineDead, match="make a new engine"):
        engine.fork(names[0])


def test_failures_with_a_success_between_them_do_not_add_up() -> None:
    engine, decoder = fragile()
    for _ in range(2 * MAX_FAILED_STEPS):
        for decoder.fault in (sticky_error, None):
            engine.add(HELLO, GREEDY)
            drain(engine)
    assert not engine.is_dead


def test_row_without_numbers_ends_its_own_request_and_no_other() -> None:
    engine, decoder = fragile()
    engine.add(HELLO, GREEDY, request="bad")
    engine.add(HELLO[:5], GREEDY, request="good")
    decoder.fault = not_a_number(0)
    first = engine.step()
    assert first.error == "the model gave logits that are not finite to bad"
    decoder.fault = None
    reports = [first, *drain(engine)]
    assert finishes(reports)["bad"] is FinishReason.ERROR
    assert tokens_of(reports)["good"] == healthy_answer(HELLO[:5])
    assert engine.num_failed_steps == 0


def test_stream_of_a_request_that_a_failure_ended_stops() -> None:
    engine, decoder = fragile()
    stream = engine.stream(HELLO, GREEDY)
    next(stream)
    decoder.fault = sticky_error
    assert [event.finish for event in stream] == [FinishReason.ERROR]


def test_interrupted_step_ends_its_requests_and_loses_no_event() -> None:
    engine, decoder = fragile()

    def interrupt(_: Tensor) -> Tensor:
        raise KeyboardInterrupt

    engine.add(HELLO, GREEDY, request="gone")
    engine.abort("gone")
    engine.add(HELLO, GREEDY, request="cut")
    decoder.fault = interrupt
    with pytest.raises(KeyboardInterrupt):
        engine.step()
    engine.check()
    decoder.fault = None
    later = engine.add(HELLO, GREEDY)
    reports = drain(engine)
    assert finishes(reports[:1])["gone"] is FinishReason.ABORT
    assert finishes(reports[:1])["cut"] is FinishReason.ERROR
    assert tokens_of(reports)[later] == healthy_answer()


def test_callbacks_may_use_every_verb_but_those_that_step() -> None:
    engine, heard = tiny_engine(), list[str]()

    def watch(request: str, view: StageView) -> None:
        if view.name == "model" and not heard:
            assert engine.abort("beside")
            heard.append(engine.fork(request))
            assert not engine.reset_cache()

    def observe(report: StepReport) -> None:
        assert len(engine.block_views()) == 64
        if report.index == 1:
            heard.append(engine.add(HELLO, GREEDY))

    engine.observe(observe)
    engine.add(HELLO, GREEDY, request="watched", watch=watch)
    engine.add(HELLO[:3], knobs(50), request="beside")
    reports = drain(engine)
    assert finishes(reports)["beside"] is FinishReason.ABORT
    assert finishes(reports)["watched"] is FinishReason.LENGTH
    assert len(heard) == 2
    assert set(heard) < set(finishes(reports))


def test_step_inside_a_step_is_refused_with_a_sentence() -> None:
    engine, refused = tiny_engine(), list[str]()

    def observe(_: StepReport) -> None:
        for ask in (engine.step, lambda: next(engine.stream(HELLO, GREEDY))):
            with pytest.raises(EngineBusy) as caught:
                ask()
            refused.append(str(caught.value))

    engine.observe(observe)
    engine.add(HELLO, knobs(1))
    engine.step()
    assert len(refused) == 2
    assert refused[0].startswith("a step was asked for from inside a step")


def test_stream_forgotten_inside_a_step_ends_its_request() -> None:
    """The garbage collector may close it at any moment; a callback stands in for it."""
    engine = tiny_engine()
    stream = engine.stream(HELLO, knobs(50), request="forgotten")
    next(stream)
    engine.observe(lambda report: stream.close())
    engine.add(HELLO, knobs(3))
    reports = drain(engine)
    assert finishes(reports)["forgotten"] is FinishReason.ABORT
    assert engine.counts().num_running == 0


def test_report_names_who_runs_waits_and_was_thrown_out() -> None:
    engine = tiny_engine(num_blocks=6, max_step_tokens=32)
    for name in "abc":
        engine.add([3 + ord(name)] * 9, knobs(max_tokens=12), request=name)
    reports = drain(engine)
    assert (reports[0].running, reports[0].waiting) == (("a",), ("b", "c"))
    assert (reports[0].num_running, reports[0].num_waiting) == (1, 2)
    thrown = tiny_engine(num_blocks=8, max_step_tokens=32)
    for name in "ab":
        thrown.add([3 + ord(name)] * 9, knobs(max_tokens=12), request=name)
    assert [r.preempted for r in drain(thrown) if r.preempted] == [("b",)]


def test_report_counts_what_the_cache_gave() -> None:
    engine = tiny_engine()
    for _ in range(2):
        engine.add(HELLO, knobs())
        report = drain(engine)[-1]
    assert report.cache is not None
    assert (report.cache.query_tokens, report.cache.hit_tokens) == (20, 8)
    assert report.cache.hit_rate == 0.4


def test_observer_is_shown_each_report_with_its_block_events() -> None:
    engine, seen = tiny_engine(), list[StepReport]()
    engine.observe(seen.append)
    engine.add(HELLO, knobs(max_tokens=2))
    assert drain(engine) == seen
    first = [(event.kind, event.block) for event in seen[0].block_events]
    assert first == [("take", 0), ("take", 1), ("take", 2), ("hash", 0), ("hash", 1)]
    assert {event.kind for event in seen[1].block_events} == {"free"}


def test_what_happens_between_steps_is_in_the_next_report() -> None:
    engine, seen = tiny_engine(), list[StepReport]()
    engine.observe(seen.append)
    name = engine.add(HELLO, knobs())
    engine.step()
    engine.abort(name)
    engine.step()
    assert [event.kind for event in seen[1].block_events] == ["free"] * 3


def test_events_are_recorded_only_while_somebody_observes() -> None:
    engine, seen = tiny_engine(), list[StepReport]()
    undo, second = engine.observe(seen.append), engine.observe(seen.append)
    engine.add(HELLO, knobs(max_tokens=9))
    undo()
    undo()  # of no effect any more
    assert engine.step().block_events
    second()
    assert all(report.block_events == () for report in drain(engine))
    assert len(seen) == 1


def test_observing_changes_no_token() -> None:
    outputs = []
    for observers in (0, 2):
        engine = tiny_engine(num_blocks=9)
        for _ in range(observers):
            engine.observe(lambda report: None)
        for seed in range(3):
            engine.add(HELLO[seed:], knobs(max_tokens=9, seed=seed), request=str(seed))
        outputs.append(tokens_of(drain(engine)))
    assert outputs[0] == outputs[1]


def test_observer_that_fails_is_dropped_and_the_engine_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(report: StepReport) -> None:
        raise RuntimeError("no eyes")

    engine, seen = tiny_engine(), list[StepReport]()
    engine.observe(broken)
    engine.observe(seen.append)
    engine.add(HELLO, knobs(max_tokens=3))
    with caplog.at_level(logging.ERROR):
        reports = drain(engine)
    assert [report.error for report in reports] == [None] * 3
    assert (len(seen), caplog.text.count("an observer failed")) == (3, 1)
