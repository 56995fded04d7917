"""Carries out a plan on the model: the only file of the engine that computes.

Owns the tensors of keys and values, and the scratch that its passes compute in. It
decides nothing: slots and tokens come with the plan, and running the same plan again
writes the same values to the same slots.
"""

from __future__ import annotations

from collections.abc import Sequence as ListLike

import torch
from torch import Tensor

from labkit.config import EngineConfig
from labkit.engine.batch import forward_inputs
from labkit.engine.plan import Plan
from labkit.model.decoder import Decoder
from labkit.model.graphs import DecodeGraphs

__all__ = ["Runner"]


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
        if plan.copies:
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
