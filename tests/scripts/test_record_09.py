"""Chapter 9's recorder on a tiny engine: one batch, knobs apart, shares that follow."""

from __future__ import annotations

from labkit.sequence import SamplingParams
from scripts import record_09
from tests.support.engines import tiny_engine


def test_runs_share_a_batch_and_keep_their_own_knobs() -> None:
    engine = tiny_engine(num_blocks=512)
    params = [
        SamplingParams(max_tokens=n, temperature=0.0, ignore_eos=True, top_logprobs=0)
        for n in (3, 5)
    ]
    found = record_09.runs(engine, [("Hi.", p) for p in params])
    assert [len(ids) for _, ids in found] == [3, 5]
    assert found[0][1] == found[1][1][:3]
    assert all(e.logprob is not None for events, _ in found for e in events)
    assert not engine.has_work


def test_defaults_name_every_engine_with_its_answers() -> None:
    found = record_09.defaults(tiny_engine(num_blocks=1024), max_tokens=4)
    assert [way["engine"] for way in found] == list(record_09.DEFAULTS)
    assert all(0 <= way["distinct_2"] <= 1 for way in found)
    assert {len(way["texts"]) for way in found} == {record_09.NUM_DEFAULT_RUNS}


def test_loops_have_a_run_for_every_story_and_temperature() -> None:
    found = record_09.loops(tiny_engine(num_blocks=1024), (0.0, 1.0), max_tokens=6)
    assert len(found) == 2 * len(record_09.STORIES)
    assert all(run["logprob"] < 0 <= run["repeated"] for run in found)
