"""Arrivals on the real scheduler and a virtual clock."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from labkit.config import EngineConfig
from labkit.engine.policy import Turn
from labkit.errors import ConfigError, NeverFits
from labkit.replay.arrivals import replay
from labkit.sequence import FinishReason
from labkit.workload import Arrival, CostPoint, ReplayResult, StepCosts, arrivals_of
from tests.support.engines import drain, knobs, tiny_engine

# a tenth of a second a step, and a hundredth for every token in it
COSTS = StepCosts(
    (CostPoint(0, 0.0, 0.1), CostPoint(100, 0.0, 1.1)), "tiny", "none", "2026-01-01"
)


def run(*arrivals: Arrival, **config: Any) -> ReplayResult:
    small = {"block_size": 4, "num_blocks": 64, "max_step_tokens": 16, **config}
    return replay(arrivals, EngineConfig(**small), COSTS)


def test_one_request_takes_its_steps_on_the_virtual_clock() -> None:
    result = run(Arrival("a", 2.0, 20, 3))
    assert [r.started_s for r in result.reports] == pytest.approx([2, 2.26, 2.4, 2.51])
    assert result.ttft_s() == pytest.approx({"a": 0.26 + 0.14})
    assert result.gaps_s()["a"] == pytest.approx([0.11, 0.11])


def test_request_ends_at_its_scripted_length_and_gives_its_blocks_back() -> None:
    result = run(Arrival("a", 0.0, 5, 4))
    events = [event for report in result.reports for event in report.emitted]
    assert [event.finish for event in events] == [None] * 3 + [FinishReason.LENGTH]
    assert result.reports[-1].blocks.held == 0


def test_arrivals_wait_for_their_time_and_for_a_seat() -> None:
    late, early = Arrival("late", 9.0, 4, 2), Arrival("early", 0.0, 4, 2)
    result = run(late, early, Arrival("next", 0.0, 4, 2), max_running=1)
    assert list(result.token_times()) == ["early", "next", "late"]
    assert result.reports[0].waiting == ("next",)
    assert result.ttft_s()["late"] == pytest.approx(0.14)


def test_replay_schedules_what_the_engine_scheduled() -> None:
    """The same arrivals, all at once, on an engine with a model."""
    engine = tiny_engine()
    sizes = (("a", 20), ("b", 7), ("c", 33))
    for name, size in sizes:
        engine.add([size] * size, knobs(size), request=name)
    wanted = [report.scheduled for report in drain(engine)]
    result = run(*(Arrival(name, 0.0, size, size) for name, size in sizes))
    assert [report.scheduled for report in result.reports] == wanted


def test_smaller_chunks_shorten_the_gaps_of_those_who_decode() -> None:
    arrivals = (Arrival("stream", 0.0, 4, 30), Arrival("long", 0.2, 200, 1))
    large = run(*arrivals, max_step_tokens=256).gaps_s()["stream"]
    small = run(*arrivals, max_step_tokens=16).gaps_s()["stream"]
    assert max(small) < 0.3 < 2 < max(large)


def test_full_queue_refuses_and_the_result_names_who_was_refused() -> None:
    crowd = [Arrival(f"r{i}", 0.0, 4, 2) for i in range(4)]
    result = run(*crowd, max_running=1, max_waiting=2)
    assert result.refused == ("r3",)  # one has a seat, two wait


def test_request_that_can_never_fit_is_refused_with_the_numbers() -> None:
    words = "a needs 300 tokens, and 64 blocks hold 256: use at least 75 blocks"
    with pytest.raises(NeverFits, match=words):
        run(Arrival("small", 0.0, 280, 10), Arrival("a", 0.1, 290, 10))
    with pytest.raises(NeverFits, match="use at least max_context=40"):
        run(Arrival("a", 0.0, 30, 10), max_context=32)


class NewestFirst:
    """Answers first, then whoever has just come, then the prompts under way."""

    turns = (Turn.DECODES, Turn.ARRIVALS, Turn.PROMPTS)


def test_a_policy_of_ones_own_takes_the_place_of_the_named_one() -> None:
    crowd = (Arrival("book", 0.0, 200, 2), Arrival("short", 0.3, 8, 2))
    config = EngineConfig(block_size=4, num_blocks=64, max_step_tokens=16)
    named = replay(crowd, config, COSTS).ttft_s()
    own = replay(crowd, config, COSTS, NewestFirst()).ttft_s()
    assert own["short"] < named["short"] / 4
    assert own["book"] >= named["book"]


def test_prefix_that_names_a_later_request_is_refused() -> None:
    first = Arrival("a", 0.0, 8, 1, prefix="b", prefix_tokens=8)
    with pytest.raises(ConfigError, match="comes no earlier"):
        run(first, Arrival("b", 1.0, 8, 1))


def test_equal_arrivals_give_equal_reports() -> None:
    crowd = [Arrival(f"r{i}", i / 9, 5 + i % 7 * 9, 3 + i % 5) for i in range(40)]
    assert run(*crowd) == run(*crowd)


def test_arrivals_come_back_from_the_reports_of_their_replay() -> None:
    crowd = [Arrival(f"r{i}", i / 9, 5 + i % 7 * 9, 3 + i % 5) for i in range(40)]
    result = run(*crowd)
    found = arrivals_of(result.reports)
    assert [replace(a, time_s=0) for a in found] == [
        replace(a, time_s=0) for a in crowd
    ]
    delays = [b.time_s - a.time_s for a, b in zip(crowd, found, strict=True)]
    longest = max(report.ended_s - report.started_s for report in result.reports)
    assert all(0 <= delay <= longest for delay in delays)


def test_shared_prefix_is_computed_once_and_found_in_the_reports() -> None:
    """The second begins as the first did; the third shares its text with a fourth."""
    crowd = (
        Arrival("a", 0.0, 40, 5),
        Arrival("b", 4.0, 44, 5, prefix="a", prefix_tokens=33),
        Arrival("c", 8.0, 30, 5, prefix="system", prefix_tokens=20),
        Arrival("d", 12.0, 60, 5, prefix="system", prefix_tokens=20),
    )
    result = run(*crowd)
    firsts = {p.request: p for r in reversed(result.reports) for p in r.scheduled}
    assert [firsts[name].start for name in "abcd"] == [0, 32, 0, 20]
    found = {
        a.request: (a.prefix, a.prefix_tokens) for a in arrivals_of(result.reports)
    }
    assert found == {"a": (None, 0), "b": ("a", 32), "c": (None, 0), "d": ("c", 20)}
    cold = run(*crowd, prefix_caching=False)
    assert cold.ttft_s()["d"] > result.ttft_s()["d"]


def test_fewer_blocks_preempt_and_every_answer_still_has_its_length() -> None:
    crowd = [Arrival(f"r{i}", 0.0, 10, 30) for i in range(4)]
    tight = run(*crowd, num_blocks=24)
    assert any(report.preempted for report in tight.reports)
    assert [len(times) for times in tight.token_times().values()] == [30] * 4
    assert arrivals_of(tight.reports) == tuple(crowd)


def test_prefill_first_brings_first_tokens_sooner_and_stalls_the_streams() -> None:
    crowd = [Arrival(f"r{i}", i / 4, 60, 20) for i in range(5)]
    decodes, prefills = (
        run(*crowd, policy=name, num_blocks=200)
        for name in ("decode-first", "prefill-first")
    )
    assert sum(prefills.ttft_s().values()) < sum(decodes.ttft_s().values())
    worst = [max(max(g) for g in r.gaps_s().values()) for r in (decodes, prefills)]
    assert worst[0] < worst[1]


def test_arrivals_of_an_engine_end_where_they_were_cut_off() -> None:
    """One is aborted while it runs, one before anything of it was computed."""
    engine = tiny_engine(max_running=1)
    names = [engine.add([100] * 9, knobs(20)) for _ in range(3)]
    reports = [engine.step() for _ in range(4)]
    for name in names[:2]:
        engine.abort(name)
    reports += drain(engine)
    numbers = [(a.prompt_tokens, a.output_tokens) for a in arrivals_of(reports)]
    assert numbers == [(9, 4), (9, 20)]
    times = ReplayResult((), tuple(reports)).token_times()
    assert [len(each) for each in times.values()] == [4, 20]
