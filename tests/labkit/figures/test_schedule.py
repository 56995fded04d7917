"""What step reports say of each request: bars, tokens, percentiles, no invention."""

from __future__ import annotations

import re

import pytest

from labkit.config import EngineConfig
from labkit.errors import ConfigError
from labkit.figures.schedule import gantt, schedule_run, set_up
from labkit.figures.stills import svg
from labkit.figures.svg import measure
from tests.support.schedules import ARRIVALS, decode, prefill, report, reports

ALIKE = ("decode-first", "256 blocks")
WHOLE = schedule_run(["chunks of 80", *ALIKE], reports(), ARRIVALS, 80)
SMALL = schedule_run(["chunks of 20", *ALIKE], reports(20), ARRIVALS, 20)


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
    run = schedule_run(["x"], made, {"a": 0.0, "b": 0.005}, 16)
    assert [bar.kind for bar in run.lanes[0].bars] == ["prefill", "stall", "decode"]
    assert [bar.kind for bar in run.lanes[1].bars] == ["wait", "prefill"]
    assert run.lanes[1].bars[0].start_ms == pytest.approx(5.0)


def test_the_budget_s_use_is_tokens_over_room() -> None:
    assert WHOLE.filled == pytest.approx((10 + 81 + 2) / (3 * 80))


def test_a_request_without_an_arrival_is_named() -> None:
    with pytest.raises(ConfigError, match="no arrival is known for request 'book'"):
        schedule_run(["x"], reports(), {"chat": 0.0}, 80)


def test_two_runs_are_compared_in_the_title_and_in_every_fact() -> None:
    drawing = gantt([WHOLE, SMALL])
    assert drawing.title == (
        "The worst gap is 91 ms with chunks of 80; 31 ms with chunks of 20"
    )
    assert all(len(row) == 3 for row in drawing.facts)
    assert "steps 6" in drawing.alt
    assert "before" in svg(drawing)


def test_a_title_names_every_knob_that_was_changed_and_no_other() -> None:
    first = set_up(EngineConfig(max_step_tokens=1024))
    fewer = set_up(EngineConfig(max_step_tokens=1024, max_running=2, num_blocks=70))
    runs = [schedule_run(s, reports(), ARRIVALS, 1024) for s in (first, fewer, first)]
    assert gantt(runs[:2]).title == (
        "The worst gap is 91 ms with 32 at once, 256 blocks; "
        "91 ms with 2 at once, 70 blocks"
    )
    assert gantt(runs[::2]).title.endswith("again 91 ms with the same set-up")
    assert gantt(runs[:1]).title.endswith(f"91 ms with {', '.join(first)}")


def test_the_worst_gap_is_bracketed_in_each_lane_that_sat_through_it() -> None:
    assert WHOLE.longest_gaps == (pytest.approx((20.0, 111.0)), None)
    drawing = svg(gantt([WHOLE]))
    assert drawing.count("v5H") == 2  # in the lane and in the key


def test_no_line_of_a_title_is_wider_than_its_picture() -> None:
    words = ["a set-up with a name of many words", *("another knob",) * 6]
    runs = [
        schedule_run([word + n for word in words], reports(), ARRIVALS, 80)
        for n in ("", "s")
    ]
    drawing = svg(gantt(runs))
    bold = re.findall(r'font-size="15"[^>]*font-weight="600">([^<]*)<', drawing)
    assert " ".join(bold) == gantt(runs).title
    assert max(measure(line, 15) for line in bold) < 860 - 32


def test_a_lone_run_is_before_nothing() -> None:
    assert gantt([WHOLE]).runs == ("this run",)
    assert "before" not in svg(gantt([WHOLE]))


def test_a_run_without_a_step_has_no_numbers_and_no_fault() -> None:
    run = schedule_run(["x"], [], {"a": 0.0}, 16)
    assert (run.worst_gap_ms, run.end_ms, run.filled) == (0.0, 0.0, 0.0)
    assert ("gap between tokens, worst", "\u2013") in run.facts()
    assert "<svg" in svg(gantt([run]))
