"""A trace keeps what happened to one request and survives being saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labkit.errors import TraceError
from labkit.records import Layer
from labkit.trace import Mark, Span, Trace


def recorded() -> Trace:
    """A trace of two layers with one mark."""
    trace = Trace("r1", {"device": "cpu"})
    trace.add(
        Span("tokenize", Layer.TOKENS, 0.1, 0.2, trace.key(), {"num_tokens": 34}),
        Span("decode", Layer.COMPUTE, 0.2, 0.5, trace.key(step=0)),
        Span("decode", Layer.COMPUTE, 0.4, 0.7, trace.key(step=1)),
        Span("prefill", Layer.COMPUTE, 1.0, 1.25, trace.key()),
        Mark("token", Layer.STREAMING, 0.9, trace.key(step=1, token=1)),
        Mark("token", Layer.STREAMING, 0.6, trace.key(step=0, token=0)),
    )
    return trace


def test_a_span_has_a_length() -> None:
    assert recorded().named("tokenize").duration_s == pytest.approx(0.1)


def test_a_span_may_not_end_before_it_starts() -> None:
    trace = Trace("r1")
    with pytest.raises(AssertionError, match="ends before it starts"):
        trace.add(Span("x", Layer.TOKENS, 2.0, 1.0, trace.key()))


def test_named_gives_the_first_span_of_that_name() -> None:
    assert recorded().named("decode").key.step == 0


def test_an_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(TraceError, match="it has: decode, prefill, tokenize"):
        recorded().named("sample")


def test_an_empty_trace_says_that_it_has_none() -> None:
    with pytest.raises(TraceError, match="it has: none"):
        Trace("r1").named("sample")


def test_marks_come_in_order_of_time() -> None:
    assert [mark.key.token for mark in recorded().marks_named("token")] == [0, 1]


def test_overlapping_spans_of_a_layer_count_once() -> None:
    assert recorded().layer_s(Layer.COMPUTE) == pytest.approx(0.5 + 0.25)
    assert recorded().layer_s(Layer.SAFETY) == 0.0


def test_the_end_is_the_last_thing_recorded() -> None:
    trace = recorded()
    assert trace.end_s == 1.25
    trace.add(Mark("finish", Layer.STREAMING, 1.5, trace.key()))
    assert trace.end_s == 1.5
    assert Trace("r1").end_s == 0.0


def test_shifting_moves_every_time_and_leaves_the_original() -> None:
    trace = recorded()
    moved = trace.shifted(2.0)
    assert moved.named("prefill").start_s == 3.0
    assert moved.marks_named("token")[0].time_s == 2.6
    assert trace.named("prefill").start_s == 1.0


def test_a_saved_trace_is_equal_when_loaded(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    recorded().save(path)
    assert Trace.load(path) == recorded()


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    recorded().save(first)
    Trace.load(first).save(second)
    assert first.read_bytes() == second.read_bytes()


def test_times_are_kept_to_the_microsecond() -> None:
    trace = Trace("r1")
    trace.add(Mark("x", Layer.CLIENT, 1.23456789, trace.key()))
    assert trace.to_dict()["marks"][0]["time_s"] == 1.234568


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": "other"}, "not a labkit.trace"),
        ({"version": 99}, "version 99"),
        ({"spans": [{"name": "x"}]}, "damaged"),
        ({"marks": [{"layer": "cellar", "key": {"request": "r"}}]}, "damaged"),
        ({"spans": None}, "damaged"),
    ],
    ids=["schema", "version", "missing-key", "unknown-layer", "no-list"],
)
def test_what_is_no_trace_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TraceError, match=message):
        Trace.from_dict({**recorded().to_dict(), **changes})


@pytest.mark.parametrize("data", [None, [], "trace"])
def test_other_json_is_refused(data: Any) -> None:
    with pytest.raises(TraceError, match="not a "):
        Trace.from_dict(data)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="no trace at"):
        Trace.load(tmp_path / "none.json")


def test_a_file_that_is_not_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(recorded().to_dict())[:-5], encoding="utf-8")
    with pytest.raises(TraceError, match=r"broken\.json is not JSON"):
        Trace.load(path)
