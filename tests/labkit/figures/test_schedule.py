"""What step reports say of each request: bars, tokens, percentiles, no invention."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from labkit.config import EngineConfig
from labkit.errors import ConfigError
from labkit.figures.schedule import gantt, schedule_run
from labkit.figures.stills import svg
from labkit.figures.svg import measure
from tests.support.schedules import ARRIVALS, decode, prefill, report, reports

CONFIG = EngineConfig(max_step_tokens=80)
WHOLE = schedule_run(reports(), ARRIVALS, CONFIG)
SMALL = schedule_run(reports(20), ARRIVALS, replace(CONFIG, max_step_tokens=20))


def test_lanes_are_in_order_of_arrival_and_begin_at_the_first() -> None:
    assert [lane.name for lane in WHOLE.lanes] == ["chat", "book"]
    assert [lane.came_ms for lane in WHOLE.lanes] == [0.0, 20.0]


def test_a_request_that_came_to_an_idle_engine_waits_for_nothing() -> None:
    kinds = [bar.kind for bar in WHOLE.lanes[0].bars]
    assert kinds == ["prefill", "decode"]


def test_each_chunk_of_a_prompt_is_a_bar_of_its_own() -> None:
    book = SMALL.lanes[1]
    assert [bar.kind for bar in book.bars] == ["prefill"] * 4 + ["decode"]


def test_the_long_prompt_is_the_worst_gap_and_chunks_shrink_it() -> None:
    assert WHOLE.worst_gap_ms == pytest.approx(91.0)
    assert SMALL.worst_gap_ms == pytest.approx(31.0)


def test_time_to_first_token_counts_from_the_arrival() -> None:
    assert WHOLE.lanes[0].ttft_ms == pytest.approx(20.0)
    assert WHOLE.lanes[1].ttft_ms == pytest.approx(91.0)
    assert SMALL.lanes[1].ttft_ms == pytest.approx(4 * 31.0)


def test_who_queues_waits_and_who_runs_without_a_slice_stalls() -> None:
    made = [
        report(0, 0.0, [prefill("a", 0, 10)], [], waiting=["b"]),
        report(1, 0.02, [prefill("b", 0, 10)], ["b"], running=["a"]),
        report(2, 0.04, [decode("a", 10)], ["a"]),
    ]
    run = schedule_run(made, {"a": 0.0, "b": 0.005}, CONFIG)
    assert [bar.kind for bar in run.lanes[0].bars] == ["prefill", "stall", "decode"]
    assert [bar.kind for bar in run.lanes[1].bars] == ["wait", "prefill"]
    assert run.lanes[1].bars[0].start_ms == pytest.approx(5.0)


def test_the_budget_s_use_is_tokens_over_room() -> None:
    assert WHOLE.filled == pytest.approx((10 + 81 + 2) / (3 * 80))


def test_a_request_without_an_arrival_is_named() -> None:
    with pytest.raises(ConfigError, match="no arrival is known for request 'book'"):
        schedule_run(reports(), {"chat": 0.0}, CONFIG)


def test_two_runs_are_compared_in_the_title_and_in_every_fact() -> None:
    drawing = gantt([WHOLE, SMALL])
    assert drawing.title == (
        "The worst gap is 91 ms with 80 tokens a step; 31 ms with 20 tokens a step"
    )
    assert all(len(row) == 3 for row in drawing.facts)
    assert "steps 6" in drawing.alt
    assert "before" in svg(drawing)


def test_a_title_names_every_knob_that_was_changed_and_no_other() -> None:
    fewer = replace(CONFIG, max_running=2, num_blocks=70)
    runs = [schedule_run(reports(), ARRIVALS, c) for c in (CONFIG, fewer, CONFIG)]
    assert gantt(runs[:2]).title == (
        "The worst gap is 91 ms with 32 at once, 256 blocks; "
        "91 ms with 2 at once, 70 blocks"
    )
    assert gantt(runs[::2]).title.endswith("again 91 ms with the same set-up")
    assert gantt(runs[:1]).title.endswith(f"91 ms with {runs[0].label}")


def test_the_worst_gap_is_bracketed_in_each_lane_that_sat_through_it() -> None:
    assert WHOLE.longest_gaps == (pytest.approx((20.0, 111.0)), None)
    drawing = svg(gantt([WHOLE]))
    assert drawing.count("v5H") == 2  # in the lane and in the key


def test_no_line_of_a_title_is_wider_than_its_picture() -> None:
    many = EngineConfig(num_blocks=10**9, max_running=10**9, max_step_tokens=10**9)
    few = EngineConfig(policy="prefill-first", max_running=1)
    runs = [schedule_run(reports(), ARRIVALS, config) for config in (many, few)]
    drawing = svg(gantt(runs))
    bold = re.findall(r'font-size="15"[^>]*font-weight="600">([^<]*)<', drawing)
    assert len(bold) > 1
    assert " ".join(bold) == gantt(runs).title
    assert max(measure(line, 15) for line in bold) < 860 - 32


def test_a_lone_run_is_before_nothing() -> None:
    assert gantt([WHOLE]).runs == ("this run",)
    assert "before" not in svg(gantt([WHOLE]))


def test_a_run_without_a_step_has_no_numbers_and_no_fault() -> None:
    run = schedule_run([], {"a": 0.0}, CONFIG)
    assert (run.worst_gap_ms, run.end_ms, run.filled) == (0.0, 0.0, 0.0)
    assert ("gap, worst", "\u2013") in run.facts()
    assert "<svg" in svg(gantt([run]))
