"""Time to first text is a sum: its parts are all there and add up."""

from __future__ import annotations

import pytest

from labkit.errors import TraceError
from labkit.figures import ttft
from labkit.figures.ttft import waterfall
from labkit.records import Layer
from labkit.trace import Mark, Span, Trace
from tests.support.requests import trace


def test_parts_add_up_to_the_time_of_the_first_text() -> None:
    drawing = waterfall(trace())
    assert drawing.total_ms == 182
    assert sum(row.ms for row in drawing.rows) == pytest.approx(182)
    assert sum(row.share for row in drawing.rows) == pytest.approx(1, abs=1e-4)


def test_parts_stand_in_order_of_their_start() -> None:
    names = [row.name for row in waterfall(trace()).rows]
    assert names[:6] == ["connect", "parse", "render", "tokenize", "queue", "prefill"]


def test_three_stamps_are_kept_apart() -> None:
    pins = {pin.name: pin.time_ms for pin in waterfall(trace()).pins}
    assert pins == {"first chunk": 9, "first token": 114, "first text": 182}


def test_time_that_no_span_covers_is_a_row_of_its_own() -> None:
    made = Trace("r")
    made.add(Span("parse", Layer.GATEWAY, 0.01, 0.02, made.key()))
    made.add(Mark("first_text", Layer.STREAMING, 0.05, made.key()))
    gap = waterfall(made).rows[-1]
    assert (gap.name, gap.ms) == (ttft.GAP, 40)
    assert [(s.start_ms, s.end_ms) for s in gap.segments] == [(0, 10), (20, 50)]


def test_trace_without_text_is_refused_with_the_remedy() -> None:
    with pytest.raises(TraceError, match=r"no mark 'first_text'.*longer answer"):
        waterfall(Trace("r"))


def test_plotly_figure_shows_the_same_parts() -> None:
    drawing = waterfall(trace())
    picture = ttft.figure(drawing)
    assert [bar.y[0] for bar in picture.data][::-1] == [r.name for r in drawing.rows]
    assert sum(sum(bar.x) for bar in picture.data) == pytest.approx(182)
