"""Who is admitted when, who computes what, and what `print(plan)` says of it."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from labkit.cache.manager import CacheManager
from labkit.config import EngineConfig
from labkit.engine.plan import Plan
from labkit.engine.scheduler import Scheduler, worst_case_tokens
from labkit.sequence import FinishReason, SamplingParams, Sequence


def scheduler_of(**config: Any) -> Scheduler:
    small = {"block_size": 4, "num_blocks": 8, "max_step_tokens": 8, "max_context": 32}
    return Scheduler(EngineConfig(**{**small, **config}))


def request(name: str, num_prompt: int, max_tokens: int = 4) -> Sequence:
    """No two names begin alike, so that nothing is found in the cache."""
    params, first = SamplingParams(max_tokens=max_tokens, seed=0), ord(name[0]) * 100
    return Sequence(name, tuple(range(first, first + num_prompt)), params, 0.0)


def act(scheduler: Scheduler, plan: Plan) -> None:
    """Pretend that the plan was run and gave token 9 to everyone."""
    for row in plan.rows:
        scheduler.advance(row, *[9] * row.is_sampled)
    scheduler.check()


def work(plan: Plan) -> list[tuple[str, int, int]]:
    return [(r.request, r.part.start, r.part.num_tokens) for r in plan.rows]


def test_prompt_longer_than_the_budget_is_computed_in_parts() -> None:
    scheduler = scheduler_of()
    scheduler.add(request("a", 20))
    plans = []
    for _ in range(4):
        plans.append(scheduler.plan())
        act(scheduler, plans[-1])
    assert [work(plan) for plan in plans] == [
        [("a", 0, 8)],
        [("a", 8, 8)],
        [("a", 16, 4)],
        [("a", 20, 1)],
    ]
    assert [len(plan.sampled) for plan in plans] == [0, 0, 1, 1]


def test_decodes_come_first_then_prompts_then_new_arrivals() -> None:
    scheduler = scheduler_of(num_blocks=32)
    scheduler.add(request("long", 12))
    act(scheduler, scheduler.plan())
    scheduler.add(request("b", 3))
    scheduler.add(request("c", 9))
    act(scheduler, scheduler.plan())  # long's last 4 tokens, b's 3, c's first
    scheduler.add(request("d", 2))
    plan = scheduler.plan()
    assert work(plan) == [("long", 12, 1), ("b", 3, 1), ("c", 1, 6)]
    assert plan.admitted == ()


def test_head_of_the_queue_is_never_overtaken() -> None:
    scheduler = scheduler_of()
    scheduler.add(request("a", 20))  # 5 of 8 blocks, and one to spare
    scheduler.add(request("big", 11))  # 3 blocks
    scheduler.add(request("small", 1, max_tokens=1))  # 1 block would fit
    act(scheduler, scheduler.plan())
    act(scheduler, scheduler.plan())
    plan = scheduler.plan()
    assert (work(plan), plan.num_waiting) == ([("a", 16, 4)], 2)
    act(scheduler, plan)
    scheduler.finish(scheduler.running[0], FinishReason.ABORT)
    assert scheduler.plan().admitted == ("big",)


def test_worst_case_is_prompt_and_max_tokens_within_the_context() -> None:
    assert worst_case_tokens(request("a", 5, max_tokens=7), max_context=32) == 12
    assert worst_case_tokens(request("a", 5, max_tokens=900), max_context=32) == 32


def test_blocks_are_taken_for_the_prompt_and_then_one_by_one() -> None:
    scheduler, held = scheduler_of(), []
    scheduler.add(request("a", 7, max_tokens=20))
    for _ in range(7):
        plan = scheduler.plan()
        act(scheduler, plan)
        held.append(plan.blocks.held)
    assert held == [2, 2, 3, 3, 3, 3, 4]


def test_seats_never_outnumber_the_tokens_of_a_step() -> None:
    scheduler = scheduler_of(max_step_tokens=2, num_blocks=32)
    for name in "abc":
        scheduler.add(request(name, 1))
    plan = scheduler.plan()
    act(scheduler, plan)
    assert (plan.admitted, len(scheduler.plan().rows)) == (("a", "b"), 2)


def test_seats_are_limited_by_max_running() -> None:
    scheduler = scheduler_of(max_running=1)
    scheduler.add(request("a", 1))
    scheduler.add(request("b", 1))
    assert scheduler.plan().admitted == ("a",)


def test_finishing_frees_blocks_of_the_running_and_places_of_the_waiting() -> None:
    scheduler = scheduler_of(max_running=1)
    first, second = request("a", 1), request("b", 1)
    scheduler.add(first)
    scheduler.add(second)
    act(scheduler, scheduler.plan())
    scheduler.finish(second, FinishReason.ABORT)
    scheduler.finish(first, FinishReason.STOP)
    assert scheduler.sequences() == ()
    assert scheduler.cache.counts().free == 8
    assert (first.finish, second.finish) == (FinishReason.STOP, FinishReason.ABORT)
    scheduler.check()


def test_queue_of_none_takes_only_who_can_run_at_once() -> None:
    scheduler = scheduler_of(max_waiting=0, max_running=1)
    assert scheduler.has_room()
    scheduler.add(request("a", 1))
    act(scheduler, scheduler.plan())
    assert not scheduler.has_room()


def test_printed_plan_explains_the_step() -> None:
    scheduler = scheduler_of()
    scheduler.add(request("chat", 3))
    act(scheduler, scheduler.plan())
    scheduler.add(request("essay", 12))
    scheduler.add(request("late", 12))
    assert str(scheduler.plan()) == (
        "8 of 8 tokens, 2 sequences (1 new), 1 waiting, 4 of 8 blocks free (0 cached)\n"
        "  chat         decode   3..3         sample   blocks 0\n"
        "  essay        prefill  0..6         goes on  blocks 1 2"
    )


def test_plan_with_nothing_to_do_is_empty() -> None:
    assert scheduler_of().plan().rows == ()


def test_token_for_a_row_that_is_not_sampled_is_a_sentence() -> None:
    scheduler = scheduler_of()
    scheduler.add(request("a", 20))
    row = scheduler.plan().rows[0]
    with pytest.raises(AssertionError, match=r"goes on .* got \(5,\)"):
        scheduler.advance(row, 5)


def test_check_finds_blocks_that_nobody_holds() -> None:
    scheduler = scheduler_of()
    scheduler.cache.admit("ghost", [1], 1)
    with pytest.raises(AssertionError, match="blocks are held by no sequence"):
        scheduler.check()


def test_unresolved_config_is_refused() -> None:
    with pytest.raises(AssertionError, match="resolve"):
        Scheduler(EngineConfig())


def is_next(scheduler: Scheduler, waiting: Sequence) -> bool:
    """Whether the first in the queue fits, worked out from the pool's own numbers."""
    running, cache = scheduler.running, scheduler.cache
    if waiting.parent in running:
        return not waiting.parent.is_prefilling and cache.num_free > len(running)
    ids = waiting.ids_between(0, waiting.num_tokens)
    found = CacheManager.match(cache, ids, waiting.salt)
    holders = {view.block: view.ref_count for view in cache.views()}
    idle = sum(holders[block] == 0 for block in found)
    needed = -(-waiting.num_tokens // 4) - len(found)
    return needed + len(running) <= cache.num_free - idle


def require_nobody_waits_in_vain(scheduler: Scheduler, plan: Plan) -> None:
    has_room = len(scheduler.running) < 4 and plan.num_tokens < plan.token_budget
    if scheduler.waiting and has_room and not (plan.preempted and scheduler.running):
        assert not is_next(scheduler, scheduler.waiting[0]), str(plan)


@pytest.mark.parametrize("seed", range(40))
def test_whoever_is_first_and_fits_enters_in_the_next_step(seed: int) -> None:
    """Random arrivals on few prefixes, ends and aborts, of the queue's head too."""
    source = Random(seed)
    scheduler = scheduler_of(num_blocks=12, max_running=4, max_step_tokens=16)
    for step in range(60):
        for number in range(source.randrange(3)):
            prefix = source.choice([(1,) * 9, (2,) * 12, ()])
            own = tuple(source.choices(range(3, 9), k=source.randrange(1, 15)))
            params = SamplingParams(max_tokens=source.randrange(1, 9), seed=0)
            name = f"{step}.{number}"
            scheduler.add(Sequence(name, (*prefix, *own), params, float(step)))
        if scheduler.waiting and source.random() < 0.3:
            scheduler.finish(scheduler.waiting[0], FinishReason.ABORT)
        if scheduler.running and source.random() < 0.2:
            victim = source.choice(scheduler.running)
            scheduler.finish(victim, FinishReason.ABORT)
        plan = scheduler.plan()
        require_nobody_waits_in_vain(scheduler, plan)
        act(scheduler, plan)
        for sequence in scheduler.running:
            if len(sequence.output_ids) >= sequence.params.max_tokens:
                scheduler.finish(sequence, FinishReason.LENGTH)


def test_small_request_enters_once_the_head_that_did_not_fit_has_left() -> None:
    scheduler = scheduler_of(num_blocks=32, max_step_tokens=64, max_context=128)
    for name, num_prompt in (("running", 57), ("big", 110), ("small", 3)):
        scheduler.add(request(name, num_prompt, max_tokens=60))
        act(scheduler, scheduler.plan())
    assert [s.request for s in scheduler.waiting] == ["big", "small"]
    scheduler.finish(scheduler.waiting[0], FinishReason.ABORT)
    assert scheduler.plan().admitted == ("small",)


def test_head_enters_once_what_it_shares_has_been_computed_by_another() -> None:
    """The free blocks are as few as before; but now it needs fewer."""
    scheduler = scheduler_of(max_step_tokens=20)
    params = SamplingParams(max_tokens=9, seed=0)
    for name, last in (("first", 77), ("second", 88)):
        scheduler.add(Sequence(name, (*range(16), last), params, 0.0))
    plan = scheduler.plan()  # the first holds 5 of 8 blocks, the second needs as many
    assert (plan.admitted, scheduler.cache.num_free) == (("first",), 3)
    act(scheduler, plan)
    assert scheduler.cache.num_free == 3
    assert scheduler.plan().admitted == ("second",)
