"""The arithmetic behind the table: medians, pairs, bounds, what is physically due."""

from __future__ import annotations

import pytest

from tests.bench import work
from tests.bench.bounds import BOUNDS, Bound, Spread, quotients

KEYS = (
    "decode_vs_llama_cpp decode_vs_transformers prefill_vs_llama_cpp decode_of_roof "
    "batch8_vs_batch1 batch8_vs_llama_cpp_batch8 paged_vs_contiguous prefix_hit_ttft "
    "server_vs_engine server32 spec_copy spec_free start_warm_s"
)
ROOFS = {"copy": 10.0, "read": 20.0, "float32": 100.0, "bfloat16": 400.0}


def test_the_bounds_have_the_keys_that_were_agreed() -> None:
    assert [bound.key for bound in BOUNDS] == KEYS.split()


def test_a_spread_is_median_and_reach() -> None:
    assert Spread.of([5.0, 1.0, 3.0]) == Spread(3.0, 1.0, 5.0)


def test_a_ratio_is_taken_round_by_round() -> None:
    """A machine twice as slow in one round changes nothing."""
    assert quotients([4.0, 2.0], [2.0, 1.0]) == [2.0, 2.0]


@pytest.mark.parametrize(
    ("value", "holds"), [(1.3, True), (1.29, False), (None, False)]
)
def test_a_floor_must_be_reached(value: float | None, holds: bool) -> None:
    assert Bound("a", "", 1.3).holds(value) is holds


@pytest.mark.parametrize(("value", "holds"), [(5.0, True), (5.1, False), (None, False)])
def test_a_ceiling_must_not_be_exceeded(value: float | None, holds: bool) -> None:
    assert Bound("a", "", 5.0, is_ceiling=True).holds(value) is holds


def test_smollm2_reads_what_its_file_holds() -> None:
    """llama.cpp counts 96,576,768 bytes of tensors in the GGUF."""
    assert work.bytes_a_step(context=0) == 96_576_768


def test_a_batch_reads_the_weights_once_and_every_cache() -> None:
    one, eight = (work.bytes_a_step(context=100, rows=n) for n in (1, 8))
    assert eight - one == 7 * 100 * work.SMOLLM2.kv_bytes_per_token


def test_a_long_prompt_costs_what_its_tokens_cost_one_by_one() -> None:
    whole = work.operations(tokens=3, start=0, scored=3)
    parts = [work.operations(tokens=1, start=i, scored=1) for i in range(3)]
    assert whole == sum(parts)


def test_the_bound_is_the_slower_of_moving_and_computing() -> None:
    assert work.bound_s(40.0, 100.0, ROOFS) == 2.0  # read at 20 a second
    assert work.bound_s(40.0, 1600.0, ROOFS) == 4.0  # bfloat16 at 400 a second
