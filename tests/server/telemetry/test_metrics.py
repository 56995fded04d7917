"""Requests are counted by how they ended; a header says where one spent its time."""

from __future__ import annotations

from labkit.records import Usage
from server.outcomes import Outcome
from server.telemetry import OutcomeCounts, server_timing


def test_outcomes_are_counted_by_a_closed_set() -> None:
    outcomes = OutcomeCounts()
    outcomes.on_end(Usage(1, 0), Outcome.FAILED)
    assert outcomes.by_outcome()["failed"] == 1
    assert set(outcomes.by_outcome()) == {str(outcome) for outcome in Outcome}


def test_server_timing_sums_by_name_in_milliseconds() -> None:
    lengths_s = [("parse", 0.5), ("sample", 0.25)] * 2
    assert server_timing(lengths_s) == "parse;dur=1000.000, sample;dur=500.000"
