"""Carries out a plan on the model: the only file of the engine that computes.

Owns the tensors of keys and values. It decides nothing: slots and tokens come with the
plan, and running the same plan again writes the same values to the same slots.
"""

from __future__ import annotations

import torch
from torch import Tensor

from labkit.config import EngineConfig
from labkit.engine.batch import forward_inputs
from labkit.engine.plan import Plan
from labkit.model.decoder import Decoder
from labkit.model.kv_store import KVStore

__all__ = ["Runner"]


class Runner:
    """A decoder with room for the keys and values of every block of the pool."""

    def __init__(self, decoder: Decoder, config: EngineConfig) -> None:
        self._decoder = decoder
        self._block_size = config.block_size
        self.device = decoder.device
        self.kv = KVStore(
            decoder.config,
            config.num_blocks * config.block_size,
            dtype=decoder.dtype,
            device=decoder.device,
        )

    def run(self, plan: Plan) -> Tensor:
        """Compute the plan; float32 logits [sampled rows, vocab] of `plan.sampled`."""
        inputs = forward_inputs(plan, self._block_size, self.device)
        logits = self._decoder.forward(inputs, self.kv)  # [rows, vocab]
        kept = [place for place, row in enumerate(plan.rows) if row.is_sampled]
        chosen = torch.tensor(kept, dtype=torch.int64, device=self.device)
        return logits if len(kept) == len(plan.rows) else logits[chosen]
