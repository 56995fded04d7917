"""The tensors that a plan becomes, number by number."""

from __future__ import annotations

import torch

from labkit.engine.batch import forward_inputs
from labkit.engine.plan import Plan, PlannedRow
from labkit.records import BlockCounts, ScheduledSlice


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
