"""The same traffic on a live engine and in a replay."""

from __future__ import annotations

import pytest

from labkit.config import EngineConfig
from labkit.errors import ConfigError
from labkit.labs.compute.traffic import (
    LONG,
    Replayer,
    run_stall,
    run_task,
    stall_arrivals,
    step_costs,
    stream_gaps_ms,
)
from labkit.labs.recordings import Measured
from tests.support.engines import tiny_engine

META = {"model": "tiny", "device": "2 CPU cores", "date": "2026-11-22"}
POINTS = [[1, 32.0, 0.01], [1, 480.0, 0.012], [1024, 512.0, 1.0], [1024, 1500.0, 1.2]]
COSTS = step_costs(Measured("08_costs", META, {"points": POINTS}))


def test_a_recorded_table_prices_steps_again() -> None:
    assert COSTS.seconds(1, 32.0) == pytest.approx(0.01)
    assert (COSTS.model, COSTS.date) == ("tiny", "2026-11-22")


def test_the_long_prompt_comes_while_four_streams_decode() -> None:
    *streams, book = stall_arrivals(COSTS)
    assert len(streams) == 4
    assert {stream.time_s for stream in streams} == {0.0}
    assert book.prompt_tokens == LONG
    assert book.time_s > 0


def test_a_smaller_chunk_shrinks_the_worst_gap_of_a_replay() -> None:
    source = Replayer(stall_arrivals(COSTS), COSTS)
    worst = []
    for size in (1024, 128):
        config = EngineConfig(max_step_tokens=size, max_drafts=4)  # drafts do not count
        worst.append(source.run(config).worst_gap_ms)
    assert worst[1] < worst[0] / 2


def test_a_live_stall_stamps_every_token_of_every_request() -> None:
    engine = tiny_engine(num_blocks=256, max_step_tokens=64)
    times = run_stall(engine, long_tokens=100)
    assert sorted(times) == ["ann", "ben", "book", "cho", "dov"]
    assert [len(times[name]) for name in ("ann", "book")] == [61, 9]
    assert len(stream_gaps_ms(times)) == 4 * 59
    assert not engine.has_work


def test_a_task_counts_its_decoding_steps() -> None:
    engine = tiny_engine(num_blocks=512, max_step_tokens=512, prefix_caching=False)
    run = run_task(engine, "copying", max_tokens=5)
    assert len(run.token_ids) <= 5
    assert run.num_steps == len(run.token_ids) - 1
    assert (run.num_drafted, run.acceptance) == (0, 0.0)


def test_a_prompt_of_ones_own_comes_with_the_long_one_and_waits_for_it() -> None:
    source = Replayer(stall_arrivals(COSTS), COSTS, count=lambda messages: 40)
    asked = source.with_prompt([{"role": "user", "content": "how many?"}])
    assert asked.times_s["you"] == asked.times_s["book"]
    *_, you = asked.run(EngineConfig(max_step_tokens=128)).lanes
    assert (you.name, len(you.tokens_ms)) == ("you", 20)
    with pytest.raises(ConfigError, match="cannot count"):
        asked.with_prompt([])
