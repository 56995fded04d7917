"""Drafts from the first layers: what they cost, and that they leave the plan as it is.

That the tokens stay the same is tested with the engine, in test_speculation.py.
"""

from __future__ import annotations

import pytest
import torch

from labkit.config import EngineConfig
from labkit.engine.early_exit import EarlyExitDrafter
from labkit.engine.runner import Runner
from labkit.engine.scheduler import Scheduler
from labkit.engine.speculative import TOKEN_COST
from labkit.sequence import Sequence
from tests.support.engines import HELLO, knobs
from tests.support.tiny import tiny_model

CONFIG = EngineConfig(block_size=4, num_blocks=16, max_context=64, max_drafts=3)


def test_a_draft_costs_its_share_of_the_layers_and_its_judgement() -> None:
    runner = Runner(tiny_model(num_layers=4).decoder, CONFIG)
    assert EarlyExitDrafter(runner, 3).cost == TOKEN_COST + 0.75


def test_drafts_are_those_of_decoding_with_the_first_layers_alone() -> None:
    """Greedy, one token after the other, on blocks of a model that ends there."""
    model = tiny_model()
    runner, scheduler = Runner(model.decoder, CONFIG), Scheduler(CONFIG)
    drafter = EarlyExitDrafter(runner, 2)  # all of its layers
    scheduler.propose = lambda sequence, most, num: drafter.propose(sequence, most)
    scheduler.add(Sequence("a", HELLO, knobs(9, temperature=0.0), 0.0))
    first = scheduler.plan()
    scheduler.advance(first.rows[0], int(runner.run(first).argmax()))
    plan = scheduler.plan()
    filled = drafter.fill(plan)
    assert filled.rows[0].part == plan.rows[0].part
    assert filled.rows[0].write_slots == plan.rows[0].write_slots
    judged = runner.run(filled).argmax(dim=-1).tolist()
    assert filled.rows[0].draft_ids == tuple(judged[:3])


@pytest.mark.parametrize("num_layers", [1, 2])
def test_leaving_early_writes_keys_of_the_first_layers_only(num_layers: int) -> None:
    model = tiny_model(num_layers=4)
    runner, scheduler = Runner(model.decoder, CONFIG), Scheduler(CONFIG)
    scheduler.add(Sequence("a", HELLO, knobs(9), 0.0))
    plan = scheduler.plan()
    runner.run(plan, num_layers)
    slots = torch.tensor(plan.rows[0].write_slots)
    is_written = [bool(runner.kv.read(i, slots)[0].any()) for i in range(4)]
    assert is_written == [i < num_layers for i in range(4)]
