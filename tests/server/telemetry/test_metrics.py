"""Requests are counted by how they ended; a header says where one spent its time."""

from __future__ import annotations

from labkit.records import Layer, Usage
from labkit.trace import Span, Trace
from server.outcomes import Outcome
from server.telemetry import OutcomeCounts, server_timing


def test_outcomes_are_counted_by_a_closed_set() -> None:
    outcomes = OutcomeCounts()
    outcomes.on_end(Usage(1, 0), Outcome.FAILED)
    assert outcomes.by_outcome()["failed"] == 1
    assert set(outcomes.by_outcome()) == {str(outcome) for outcome in Outcome}


def test_server_timing_sums_by_name_in_milliseconds() -> None:
    trace = Trace("r")
    lengths_s = {"parse": 0.5, "sample": 0.25}
    for start_s, (name, length_s) in enumerate([*lengths_s.items()] * 2):
        end_s = start_s + length_s
        trace.add(Span(name, Layer.GATEWAY, float(start_s), end_s, trace.key()))
    assert server_timing(trace) == "parse;dur=1000.000, sample;dur=500.000"
