"""A plan's numbers as the tensors of one forward pass.

Pure: the same plan gives the same tensors. Rows keep the plan's order, so row `i` of
the logits belongs to `plan.rows[i]`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from labkit.engine.plan import Plan
from labkit.model.inputs import ForwardInputs

__all__ = ["forward_inputs"]


def forward_inputs(plan: Plan, block_size: int, device: torch.device) -> ForwardInputs:
    """The new tokens of all rows in one line, and the slots that each row may read."""
    rows = plan.rows
    token_ids = [token_id for row in rows for token_id in row.token_ids]
    positions = [p for r in rows for p in range(r.part.start, r.context_len)]
    write_slots = [slot for row in rows for slot in row.write_slots]
    return ForwardInputs(
        token_ids=torch.tensor(token_ids, device=device),
        positions=torch.tensor(positions, device=device),
        write_slots=torch.tensor(write_slots, device=device),
        read_slots=_read_slots(plan, block_size).to(device),
        query_lens=tuple(row.part.num_tokens for row in rows),
        context_lens=tuple(row.context_len for row in rows),
        num_logits=tuple(row.num_logits for row in rows),
    )


def _read_slots(plan: Plan, block_size: int) -> Tensor:
    """Slots of every row's tokens: int64 [rows, longest context].

    Beyond a row's own context they are those of its last block, then of block 0.
    """
    widest = max(len(row.blocks) for row in plan.rows)
    padded = [[*r.blocks, *[0] * (widest - len(r.blocks))] for r in plan.rows]
    first = torch.tensor(padded).unsqueeze(-1) * block_size  # [rows, blocks, 1]
    slots = (first + torch.arange(block_size)).flatten(1)
    return slots[:, : max(row.context_len for row in plan.rows)]
