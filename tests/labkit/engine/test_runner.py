"""A plan as tensors, and its logits against the reference, whatever shares the step."""

from __future__ import annotations

import torch

from labkit.config import EngineConfig
from labkit.engine.plan import Plan, PlannedRow
from labkit.engine.runner import Runner, forward_inputs
from labkit.engine.scheduler import Scheduler
from labkit.model import reference
from labkit.records import BlockCounts, ScheduledSlice
from labkit.sequence import SamplingParams, Sequence
from tests.support.tiny import tiny_model

CONFIG = EngineConfig(block_size=4, num_blocks=32, max_step_tokens=9, max_context=64)


def arrive(scheduler: Scheduler, name: str, prompt: range) -> Sequence:
    sequence = Sequence(name, tuple(prompt), SamplingParams(seed=0, max_tokens=9), 0.0)
    scheduler.add(sequence)
    return sequence


def advance(scheduler: Scheduler, plan: Plan) -> None:
    for row in plan.rows:
        scheduler.advance(row, *[17] * row.is_sampled)


def test_every_sampled_row_equals_the_reference_in_mixed_steps() -> None:
    """Decodes beside parts of prompts: five steps of one to three sequences."""
    decoder, scheduler = tiny_model().decoder, Scheduler(CONFIG)
    runner, num_compared = Runner(decoder, CONFIG), 0
    known = {"a": arrive(scheduler, "a", range(100, 105))}
    for step in range(5):
        if step == 1:
            known["b"] = arrive(scheduler, "b", range(60, 77))
            known["c"] = arrive(scheduler, "c", range(40, 43))
        plan = scheduler.plan()
        logits = runner.run(plan)
        assert len(logits) == len(plan.sampled)
        for row, got in zip(plan.sampled, logits, strict=True):
            ids = known[row.request].ids_between(0, row.context_len)
            torch.testing.assert_close(got, reference.logits(decoder, ids)[-1])
            num_compared += 1
        advance(scheduler, plan)
    assert num_compared == 5 + 2 + 2  # a, b and c


def test_running_a_plan_twice_changes_nothing() -> None:
    decoder, scheduler = tiny_model().decoder, Scheduler(CONFIG)
    arrive(scheduler, "a", range(100, 105))
    runner, plan = Runner(decoder, CONFIG), scheduler.plan()
    assert torch.equal(runner.run(plan), runner.run(plan))


def test_room_is_made_for_every_block() -> None:
    decoder = tiny_model().decoder
    per_token = decoder.config.kv_bytes_per_token(element_bytes=4)
    assert Runner(decoder, CONFIG).kv.num_bytes == 32 * 4 * per_token


def test_rows_of_unequal_length_become_one_line_of_tokens() -> None:
    decode = PlannedRow(ScheduledSlice("a", 5, 1, False), (42,), (29,), (3, 7), True)
    chunk = PlannedRow(ScheduledSlice("b", 0, 2, True), (8, 9), (4, 5), (1,), False)
    plan = Plan((decode, chunk), ("b",), 8, 0, BlockCounts(1, 3, 0, 4))
    inputs = forward_inputs(plan, 4, torch.device("cpu"))
    inputs.check()
    assert inputs.token_ids.tolist() == [42, 8, 9]
    assert inputs.positions.tolist() == [5, 0, 1]
    assert inputs.write_slots.tolist() == [29, 4, 5]
    assert inputs.read_slots.tolist() == [[12, 13, 14, 15, 28, 29], [4, 5, 6, 7, 0, 1]]
    assert (inputs.query_lens, inputs.context_lens) == ((1, 2), (6, 2))
