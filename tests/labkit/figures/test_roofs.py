"""The plot of the roofs says what was measured and where the knee is."""

from __future__ import annotations

import pytest

from labkit.figures.roofs import (
    PassWork,
    Roofs,
    batch_lines,
    crossing,
    draft_lines,
    knee,
    pass_lines,
    share_lines,
)
from labkit.figures.stills import svg

ROOFS = Roofs(bytes_per_s=20e9, flop_per_s=100e9)
WORK = PassWork(weight_bytes=100e6, flop_per_token=80e6, head_flop=20e6)
PASSES = {1: 6.0, 2: 6.5, 4: 8.0, 8: 12.0, 16: 20.0, 512: 500.0}


def test_the_knee_is_the_most_tokens_for_the_price_of_two_passes() -> None:
    assert knee(PASSES) == 8
    assert knee(PASSES, factor=1.1) == 2
    assert knee({1: 5.0, 2: 50.0}) == 1


def test_bounds_are_bytes_over_bandwidth_and_operations_over_rate() -> None:
    assert ROOFS.ridge == 5.0
    assert ROOFS.read_ms(100e6) == pytest.approx(5.0)
    assert ROOFS.multiply_ms(2e8) == pytest.approx(2.0)


def test_the_bounds_meet_where_reading_takes_as_long_as_multiplying() -> None:
    at = crossing(ROOFS, WORK)
    assert at == pytest.approx(6.0)
    both = (ROOFS.read_ms(WORK.weight_bytes), ROOFS.multiply_ms(WORK.flop(at)))
    assert both == pytest.approx((5.0, 5.0))


def test_pass_lines_show_both_bounds_and_what_was_measured() -> None:
    lines = pass_lines(PASSES, ROOFS, WORK)
    assert lines.title == "Up to 8 tokens, a pass takes no longer than two of one"
    names = [series.name for series in lines.series]
    assert names == ["read the weights", "multiply", "measured"]
    assert [series.style for series in lines.series[:2]] == ["dash", "dash"]
    assert lines.series[1].y[-1] == pytest.approx(ROOFS.multiply_ms(WORK.flop(512)))
    assert "6.0 ms for 1, 500 ms for 512" in lines.alt
    assert "meet at 6.0 tokens" in lines.alt
    assert "<svg" in svg(lines)


def test_batch_lines_compare_all_together_with_each() -> None:
    lines = batch_lines({1: 10.0, 8: 20.0})
    assert lines.title == "8 users get 4.0 times the throughput of 1; each waits " + (
        "2.0 times as long for a token"
    )
    assert [series.y for series in lines.series] == [(100.0, 400.0), (100.0, 50.0)]


def test_share_lines_have_a_line_for_each_batch() -> None:
    lines = share_lines({1: {64: 1.0, 1024: 20.0}, 8: {64: 5.0, 1024: 60.0}})
    assert lines.title == "Reading the context grows to 60 % of a pass"
    assert [s.name for s in lines.series] == ["batch of 1", "batch of 8"]
    assert "batch of 8: 60 % at 1,024 tokens" in lines.alt


def test_draft_lines_say_up_to_which_batch_drafts_pay() -> None:
    lines = draft_lines({1: 2.0, 4: 1.1, 16: 0.8}, 4)
    assert lines.title == "4 drafts for each sequence pay up to 4 sequences in a batch"
    assert "2.00 for 1, 1.10 for 4, 0.80 for 16" in lines.alt
    assert [series.name for series in lines.series] == ["speed-up", "no gain"]
    assert "never pay" in draft_lines({1: 0.9}, 4).title
