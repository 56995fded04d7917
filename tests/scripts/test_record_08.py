"""Chapter 8's recorder on a tiny model: every value that the chapter asks for."""

from __future__ import annotations

import json

from labkit.clock import SystemClock
from labkit.labs.compute.traffic import TASKS, step_costs, stream_gaps_ms
from labkit.labs.recordings import Measured
from scripts import record_08
from tests.support.tiny import tiny_model

META = {"model": "tiny", "device": "2 CPU cores", "date": "2026-11-22"}


def test_the_sweep_times_every_shape_once() -> None:
    found = record_08.sweep(tiny_model(), SystemClock(), rounds=1)
    assert sorted(map(int, found["pass_ms"])) == list(record_08.SIZES)
    assert sorted(map(int, found["batch_ms"])) == list(record_08.BATCHES)
    assert found["batch_ms"].keys() == found["drafted_batch_ms"].keys()
    assert sorted(found["context_ms"]) == ["1", "8"]
    assert found["roofs"]["bytes_per_s"] > 0
    assert json.loads(json.dumps(found)) == found


def test_the_costs_make_a_table_that_prices_steps() -> None:
    values = record_08.costs(tiny_model(), SystemClock(), rounds=1)
    costs = step_costs(Measured("08_costs", META, values))
    assert costs.seconds(64, 100.0) > 0


def test_the_stall_has_a_run_for_each_budget() -> None:
    found = record_08.stall(tiny_model(), SystemClock())
    assert sorted(map(int, found)) == [128, 1024]
    assert all(len(stream_gaps_ms(run)) == 4 * 59 for run in found.values())


def test_the_drafts_have_every_task_plain_and_drafted() -> None:
    found = record_08.drafts(tiny_model(), SystemClock())
    assert list(found) == list(TASKS)
    for runs in found.values():
        assert runs["0"]["num_drafted"] == 0
        assert runs["0"]["token_ids"] == runs["4"]["token_ids"]
