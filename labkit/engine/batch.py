"""A plan's numbers as the tensors of one forward pass.

Pure: the same plan gives the same tensors. Rows keep the plan's order, so row `i` of
the logits belongs to `plan.rows[i]`.
"""

from __future__ import annotations

from operator import attrgetter

import torch

from labkit.engine.plan import Plan
from labkit.model.inputs import ForwardInputs

__all__ = ["forward_inputs"]

_BLOCKS = attrgetter("blocks")


def forward_inputs(plan: Plan, block_size: int, device: torch.device) -> ForwardInputs:
    """The new tokens of all rows in one line, and the slots that each row may read."""
    token_ids, positions, write_slots = list[int](), list[int](), list[int]()
    query_lens, context_lens, num_logits = list[int](), list[int](), list[int]()
    widest = max(map(len, map(_BLOCKS, plan.rows)))
    blocks = list[list[int]]()
    for row in plan.rows:
        start, num_tokens = row.part.start, row.part.num_tokens
        token_ids += row.token_ids
        positions += range(start, start + num_tokens)
        write_slots += row.write_slots
        query_lens.append(num_tokens)
        context_lens.append(start + num_tokens)
        num_logits.append(1 + len(row.draft_ids) if row.is_sampled else 0)
        blocks.append([*row.blocks, *[0] * (widest - len(row.blocks))])
    # Beyond a row's own context its slots are of its last block, then of block 0.
    first = torch.tensor(blocks).unsqueeze(-1) * block_size  # [rows, blocks, 1]
    read_slots = (first + torch.arange(block_size)).flatten(1)[:, : max(context_lens)]
    return ForwardInputs(
        token_ids=torch.tensor(token_ids, device=device),
        positions=torch.tensor(positions, device=device),
        write_slots=torch.tensor(write_slots, device=device),
        read_slots=read_slots.to(device),
        query_lens=tuple(query_lens),
        context_lens=tuple(context_lens),
        num_logits=tuple(num_logits),
    )
