"""What a report says, who is shown it, and that looking changes and costs nothing."""

from __future__ import annotations

import logging

import pytest

from labkit.records import StepReport
from tests.support.engines import HELLO, drain, knobs, tiny_engine, tokens_of


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
