"""Recorded passes, read by number."""

from __future__ import annotations

import pytest

from labkit.figures.roofs import PassWork
from labkit.labs.compute.sweep import Sweep
from labkit.labs.recordings import Measured

VALUES = {
    "drafted": 4,
    "weight_bytes": 50e6,
    "roofs": {"bytes_per_s": 10e9, "flop_per_s": 50e9},
    "pass_ms": {"16": 3.0, "2": 1.0},
    "batch_ms": {"1": 2.0, "8": 4.0},
    "drafted_batch_ms": {"1": 4.0, "8": 16.0},
    "context_ms": {
        "1": {"32": 2.0, "1024": 4.0},
        "8": {"32": 4.0, "1024": 16.0},
    },
}
SWEEP = Sweep(Measured("08_sweep", {"device": "a machine"}, VALUES))


def test_a_line_is_read_from_its_smallest_pass_on() -> None:
    assert list(SWEEP.ms("pass_ms").items()) == [(2, 1.0), (16, 3.0)]


def test_contexts_are_compared_within_their_batch_and_between_batches() -> None:
    assert SWEEP.context_shares[8] == {32: 0.0, 1024: 75.0}
    assert SWEEP.context_ratio == 6.0


def test_gains_divide_the_tokens_of_a_pass_by_what_it_costs() -> None:
    tokens = 1 + 0.5 + 0.25 + 0.125 + 0.0625
    assert SWEEP.draft_gains(0.5) == pytest.approx({1: tokens / 2, 8: tokens / 4})


def test_the_crossing_is_that_of_the_machine_that_was_recorded() -> None:
    work = PassWork(weight_bytes=1.0, flop_per_token=40e6, head_flop=10e6)
    assert SWEEP.crossing(work) == pytest.approx(6.0)
