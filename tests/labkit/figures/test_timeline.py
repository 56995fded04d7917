"""Spans as one line of time: nothing counted twice, nothing lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.figures.timeline import innermost, life
from labkit.records import Layer
from labkit.trace import Key, Span, Trace
from tests.support.requests import trace

KEY = Key("r")
TIMES = st.integers(0, 50).map(lambda n: n / 10)
SPANS = st.lists(
    st.tuples(TIMES, TIMES, st.sampled_from(list(Layer))).map(
        lambda s: Span("s", s[2], min(s[:2]), max(s[:2]), KEY)
    ),
    max_size=12,
)


def span(name: str, start: float, end: float, layer: Layer = Layer.COMPUTE) -> Span:
    return Span(name, layer, start, end, KEY)


def test_inner_span_takes_its_time_from_the_outer_one() -> None:
    line = innermost([span("outer", 0, 10), span("inner", 4, 6)], 10)
    found = [(s.span.name, s.start_s, s.end_s) for s in line]
    assert found == [("outer", 0, 4), ("inner", 4, 6), ("outer", 6, 10)]


def test_waiting_yields_to_whoever_works_even_if_it_began_later() -> None:
    waits = Span("read", Layer.NETWORK, 2, 10, KEY, {"is_waiting": True})
    line = innermost([span("prefill", 0, 8), waits], 10)
    found = [(s.span.name, s.start_s, s.end_s) for s in line]
    assert found == [("prefill", 0, 8), ("read", 8, 10)]


@given(SPANS, TIMES)
def test_stretches_do_not_overlap_and_cover_what_spans_cover(spans, until) -> None:
    line = innermost(spans, until)
    ends = [0.0, *(s.end_s for s in line)]
    assert all(s.start_s >= end for s, end in zip(line, ends, strict=False))
    for time in (n / 10 + 0.05 for n in range(50)):
        covered = any(s.start_s < time < s.end_s for s in spans) and time < until
        assert covered == any(s.start_s < time < s.end_s for s in line)


def test_cells_of_a_life_add_up_to_what_spans_cover() -> None:
    drawing = life(trace())
    total = sum(cell.ms for cell in drawing.cells)
    assert total == pytest.approx(drawing.total_ms, abs=0.01)
    assert [cell.layer for cell in drawing.cells] == list(Layer)


def test_bytes_of_a_layer_are_counted_where_spans_tell_them() -> None:
    cells = {cell.layer: cell for cell in life(trace()).cells}
    assert cells[Layer.STREAMING].num_bytes == 212
    assert cells[Layer.COMPUTE].num_bytes is None
    assert cells[Layer.TOOLS].spans == 0


def test_lit_layer_is_named_in_words() -> None:
    assert "This chapter: layer 10 Streaming." in life(trace(), Layer.STREAMING).alt


def test_neighbouring_spans_of_one_layer_keep_their_names() -> None:
    made = Trace("r")
    made.add(span("prefill", 0, 1), span("decode", 1, 2), span("decode", 2, 3))
    parts = [(s.name, s.start_ms, s.end_ms) for s in life(made).segments]
    assert parts == [("prefill", 0, 1000), ("decode", 1000, 3000)]


def test_empty_trace_has_a_life_of_nothing() -> None:
    drawing = life(Trace("r"))
    assert drawing.total_ms == 0
    assert not drawing.segments
    assert "nothing recorded" in drawing.alt
