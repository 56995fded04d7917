"""The pace of a stream."""

from __future__ import annotations

import pytest

from labkit.figures.pace import longest_gaps, pace, percentile, stream_drawing
from tests.support.requests import chunks


def test_pace_counts_gaps_between_texts_only() -> None:
    found = pace(chunks(gap_s=0.03, first_s=0.12))
    assert (found.num_chunks, found.num_texts) == (13, 10)
    assert found.first_chunk_ms == pytest.approx(10)
    assert found.first_text_ms == pytest.approx(120)
    assert found.gap_p50_ms == pytest.approx(30)
    assert found.jitter_ms == pytest.approx(0)


def test_stream_without_text_has_no_gaps() -> None:
    found = pace(chunks()[:1])
    assert found.first_text_ms is None
    assert found.jitter_ms is None


@pytest.mark.parametrize(
    ("percent", "wanted"), [(0, 1), (50, 2), (51, 3), (99, 4), (100, 4)]
)
def test_percentile_is_a_value_that_occurred(percent, wanted) -> None:
    assert percentile([4, 1, 3, 2], percent) == wanted


def test_drawing_says_the_text_and_the_pace() -> None:
    drawing = stream_drawing(chunks(), "done")
    assert drawing.title == "10 pieces of text, the first after 120.0 ms"
    assert "🍓" in drawing.alt
    assert ("gap p50", "30.0 ms") in drawing.facts


def test_drawing_of_nothing_says_so() -> None:
    assert stream_drawing([], "idle").title == "A stream, idle: no text yet"


def test_the_longest_gap_is_marked_in_every_stream_that_has_it_once() -> None:
    streams = [(0.0, 1.0, 10.0, 19.0), (1.0, 10.0005), (0.0, 8.0), (5.0,), ()]
    assert longest_gaps(streams) == ((1.0, 10.0), (1.0, 10.0005), None, None, None)
    assert longest_gaps([]) == ()
