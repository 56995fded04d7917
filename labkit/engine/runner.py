"""Carries out a plan on the model: the only file of the engine that computes.

Owns the tensors of keys and values, and the scratch that its passes compute in. It
decides nothing: slots and tokens come with the plan, and running the same plan again
writes the same values to the same slots.
"""

from __future__ import annotations

from collections.abc import Sequence as ListLike
from operator import attrgetter

import torch
from torch import Tensor

from labkit.config import EngineConfig
from labkit.engine.plan import Plan
from labkit.model.decoder import Decoder
from labkit.model.graphs import DecodeGraphs
from labkit.model.inputs import ForwardInputs

__all__ = ["Runner", "forward_inputs"]

_BLOCKS = attrgetter("blocks")


class Runner:
    """A decoder with room for the keys and values of every block of the pool."""

    def __init__(self, decoder: Decoder, config: EngineConfig) -> None:
        self._decoder = decoder
        self._block_size = config.block_size
        self.num_layers = decoder.config.num_layers
        self.device = decoder.device
        self.kv = decoder.new_store(config.num_blocks * config.block_size)
        self._scratch = decoder.new_scratch()  # nobody else computes in it
        is_cuda = decoder.device.type == "cuda"
        self._graphs = DecodeGraphs(decoder, self.kv) if is_cuda else None
        if self._graphs is not None:
            self._graphs.record()

    def copy(self, plan: Plan) -> None:
        """Make the plan's copies of blocks, all at once, before anything is written."""
        sources, targets = self._slots(plan.copies)
        self.kv.copy(sources, targets)

    def run(self, plan: Plan, num_layers: int | None = None) -> Tensor:
        """Compute, copies made; float32 logits [scored tokens, vocab].

        A sampled row's are consecutive, one for its newest token and for each draft.
        With `num_layers` the pass leaves early.
        """
        inputs = forward_inputs(plan, self._block_size, self.device)
        if self._graphs is not None and num_layers is None:
            logits = self._graphs.logits(inputs)
            if logits is not None:
                return logits
        return self._decoder.forward(
            inputs, self.kv, scratch=self._scratch, num_layers=num_layers
        )

    def _slots(self, blocks: ListLike[ListLike[int]]) -> Tensor:
        """Slots of (source, own) pairs of blocks: int64 [2, slots]."""
        first = torch.tensor(blocks, device=self.device).T.unsqueeze(-1)
        size = self._block_size
        return (first * size + torch.arange(size, device=self.device)).flatten(1)


def forward_inputs(plan: Plan, block_size: int, device: torch.device) -> ForwardInputs:
    """The new tokens of all rows in one line, and the slots that each row may read.

    Rows keep the plan's order: row `i` of the logits belongs to `plan.rows[i]`.
    """
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
