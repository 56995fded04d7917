"""Two orders of a step, and that neither of them starves anyone."""

from __future__ import annotations

import pytest

from labkit.config import EngineConfig
from labkit.engine.policy import policy_named
from labkit.engine.scheduler import Scheduler
from labkit.sequence import FinishReason, SamplingParams, Sequence


def sequence(name: str, num_prompt: int, max_tokens: int = 4) -> Sequence:
    first = 1000 * int(name.strip("abcdr"), 36) if name.strip("abcdr") else ord(name)
    prompt = tuple(range(first, first + num_prompt))
    return Sequence(name, prompt, SamplingParams(max_tokens=max_tokens), 0.0)


def step(scheduler: Scheduler) -> list[tuple[str, int]]:
    """One step of pretence: who computed how many tokens."""
    plan = scheduler.plan()
    for row in plan.rows:
        done = scheduler.advance(row, *[7] * row.is_sampled)
        if len(done.output_ids) == done.params.max_tokens:
            scheduler.finish(done, FinishReason.LENGTH)
    scheduler.check()
    return [(row.request, row.part.num_tokens) for row in plan.rows]


def scheduler_of(policy: str, **config: int) -> Scheduler:
    small = {"block_size": 4, "num_blocks": 32, "max_step_tokens": 8, **config}
    return Scheduler(EngineConfig(policy=policy, max_context=64, **small))


@pytest.mark.parametrize(
    ("policy", "steps"),
    [
        ("decode-first", [[("a", 1), ("b", 7)], [("a", 1), ("b", 7)]]),
        ("prefill-first", [[("b", 8)], [("b", 8)]]),
    ],
)
def test_long_prompt_stalls_an_answer_or_is_cut_around_it(
    policy: str, steps: list[list[tuple[str, int]]]
) -> None:
    scheduler = scheduler_of(policy)
    scheduler.add(sequence("a", 3))
    step(scheduler)
    scheduler.add(sequence("b", 20))
    assert [step(scheduler), step(scheduler)] == steps
    assert step(scheduler)[0][0] == ("a" if policy == "decode-first" else "b")


def test_what_prompts_leave_goes_to_the_answers() -> None:
    scheduler = scheduler_of("prefill-first")
    scheduler.add(sequence("a", 3))
    step(scheduler)
    scheduler.add(sequence("b", 5))
    assert step(scheduler) == [("b", 5), ("a", 1)]


@pytest.mark.parametrize("policy", ["decode-first", "prefill-first"])
@pytest.mark.parametrize("num_blocks", [9, 40])
def test_flood_starves_nobody(policy: str, num_blocks: int) -> None:
    """Two new requests a step, more than can be served: all end in order of arrival."""
    scheduler = scheduler_of(policy, num_blocks=num_blocks, max_running=4)
    firsts = [sequence(f"r{number}", 9, max_tokens=12) for number in range(6)]
    for each in firsts:
        scheduler.add(each)
    for number in range(120):
        step(scheduler)
        scheduler.add(sequence(f"r{100 + 2 * number}", 9))
        scheduler.add(sequence(f"r{101 + 2 * number}", 9))
    assert all(each.is_finished for each in firsts)
    assert all(each.num_preemptions < 12 for each in firsts)


@pytest.mark.parametrize("policy", ["decode-first", "prefill-first"])
def test_oldest_is_never_thrown_out(policy: str) -> None:
    scheduler = scheduler_of(policy, num_blocks=8)
    oldest = sequence("a", 4, max_tokens=20)
    for each in (oldest, sequence("b", 4, 20), sequence("c", 4, 20)):
        scheduler.add(each)
    while scheduler.sequences():
        assert step(scheduler), "sequences wait and nothing is planned"
    assert (oldest.num_preemptions, len(oldest.output_ids)) == (0, 20)


def test_policy_is_found_by_its_name() -> None:
    assert type(policy_named("prefill-first")).__name__ == "PrefillFirst"
