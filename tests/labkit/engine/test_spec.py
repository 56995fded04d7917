"""The specification's scenarios and invariants that need a scheduler or an engine.

Those about the cache alone are in `tests/labkit/cache/test_spec.py`.
"""

from __future__ import annotations

import pytest

from labkit.config import EngineConfig
from labkit.engine.scheduler import Scheduler
from labkit.records import CacheStats
from labkit.sequence import FinishReason, SamplingParams, Sequence
from tests.labkit.cache.test_cache_machine import CacheMachine
from tests.labkit.cache.test_spec import TESTS as CACHE_TESTS
from tests.labkit.engine import test_engine_cache
from tests.support.engines import HELLO, drain, knobs, tiny_engine, tokens_of
from tests.support.kv_spec import SCENARIOS, SPEC, SpecCache


def scheduler_of(num_blocks: int) -> Scheduler:
    wide = {"max_step_tokens": 4096, "max_context": 16 * num_blocks}
    return Scheduler(EngineConfig(block_size=16, num_blocks=num_blocks, **wide))


def arrive(scheduler: Scheduler, name: str, num_tokens: int, first: int) -> Sequence:
    prompt = tuple(range(first, first + num_tokens))
    sequence = Sequence(name, prompt, SamplingParams(), 0.0)
    scheduler.add(sequence)
    return sequence


def step(scheduler: Scheduler) -> tuple[str, ...]:
    """Plan, pretend to compute; who was thrown out."""
    plan = scheduler.plan()
    for row in plan.rows:
        scheduler.advance(row, *[7] * row.is_sampled)
    scheduler.check()
    return plan.preempted


def test_request_that_is_tried_again_is_counted_once() -> None:
    scheduler = scheduler_of(4)
    first = arrive(scheduler, "first", 33, first=0)
    step(scheduler)
    arrive(scheduler, "again", 48, first=0)  # 32 tokens are known; too few blocks
    for _ in range(3):
        step(scheduler)
    assert scheduler.cache.stats().num_requests == 1
    scheduler.finish(first, FinishReason.STOP)
    step(scheduler)
    assert scheduler.cache.stats() == CacheStats(2, 33 + 48, 32)


def test_decode_step_of_the_oldest_throws_out_the_newest() -> None:
    """Its token of the step before was appended; with it, it starts again."""
    scheduler = scheduler_of(11)
    arrive(scheduler, "0", 80, first=0)
    newest = arrive(scheduler, "1", 80, first=500)
    assert step(scheduler) == ()  # 5 blocks each, 1 to spare
    assert step(scheduler) == ("1",)
    assert (newest.output_ids, newest.num_computed) == ([7], 0)
    assert scheduler.waiting == (newest,)


def test_preempted_request_goes_on_with_all_of_its_tokens() -> None:
    """First come is our only priority: the one that came later is thrown out."""
    scheduler = scheduler_of(5)
    high = arrive(scheduler, "high", 32, first=0)
    low = arrive(scheduler, "low", 30, first=500)
    assert [step(scheduler) for _ in range(4)] == [(), (), (), ("low",)]
    scheduler.finish(high, FinishReason.STOP)
    row = scheduler.plan().rows[0]
    assert (row.request, row.context_len) == ("low", 33)  # 30 of prompt, 3 decoded
    assert (low.num_preemptions, row.num_cached) == (1, 32)


def test_blocks_of_an_aborted_request_are_written_by_nobody_else() -> None:
    """A step is planned and computed in one go: no write is under way between two."""
    engine = tiny_engine(num_blocks=8)
    gone = engine.add(HELLO, knobs(max_tokens=20))
    engine.step()
    engine.abort(gone)
    name = engine.add(HELLO[::-1], knobs(max_tokens=20, temperature=0.0))
    other = tiny_engine()
    same = other.add(HELLO[::-1], knobs(max_tokens=20, temperature=0.0))
    assert tokens_of(drain(engine))[name] == tokens_of(drain(other))[same]


def test_nothing_is_left_after_five_requests() -> None:
    scheduler = scheduler_of(40)
    for number in range(5):
        arrive(scheduler, str(number), 30, first=100 * number)
    step(scheduler)
    for sequence in scheduler.sequences():
        scheduler.finish(sequence, FinishReason.LENGTH)
    assert scheduler.sequences() == ()
    counts = scheduler.cache.counts()
    assert (counts.held, counts.free + counts.cached) == (0, 40)


TESTS = {
    "stats_once": test_request_that_is_tried_again_is_counted_once,
    "preempt_newest": test_decode_step_of_the_oldest_throws_out_the_newest,
    "preempt_priority_and_resume": (
        test_preempted_request_goes_on_with_all_of_its_tokens
    ),
    "abort_defers_free": test_blocks_of_an_aborted_request_are_written_by_nobody_else,
    "no_leak": test_nothing_is_left_after_five_requests,
}
READS = CacheMachine.every_request_finds_its_own_tokens
INVARIANTS = {
    "sum(ref_cnt) == sum(len(block table))": CacheMachine.books_balance,
    "free + used == total": CacheMachine.books_balance,
    "ref_cnt==0 iff in the free queue": CacheMachine.books_balance,
    "a hashed block is in the index": CacheMachine.books_balance,
    "no block is in two requests tables": READS,
    "tables of one request": CacheMachine.views_say_what_is_in_the_blocks,
    "cached tokens reported % block_size == 0": CacheMachine.enter,
    "greedy output with the cache on == cache off": (
        test_engine_cache.test_cached_answer_equals_the_cold_one
    ),
    "after all requests end: used == 0": (
        CacheMachine.nothing_is_used_when_nobody_is_there
    ),
}


def test_every_scenario_and_invariant_of_the_specification_has_its_test() -> None:
    assert sorted({**CACHE_TESTS, **TESTS}) == sorted(SCENARIOS)
    assert (len(SCENARIOS), len(SPEC["invariants"])) == (25, 9)
    for said, short in zip(SPEC["invariants"], INVARIANTS, strict=True):
        assert said.startswith(short)


@pytest.mark.parametrize("num_forks", [1, 3])
def test_block_in_several_tables_is_full_and_hashed_or_a_forks(num_forks: int) -> None:
    """A fork's last block is shared only until one of them writes into it."""
    cache = SpecCache(20)
    cache.alloc("p", list(range(20)))
    for number in range(num_forks):
        cache.cache.fork("p", str(number), 20)
        assert len(cache.cache.writable(str(number), 19, 20) or ()) == 1
    shared = [view for view in cache.cache.views() if view.ref_count > 1]
    assert [view.hash is None for view in shared] == [False]
