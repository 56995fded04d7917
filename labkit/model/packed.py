"""The decoder over a GGUF's own 4-bit blocks, on the CPU.

A decode step is bound by the bytes it reads, and 4-bit blocks are an eighth of float32.
The weights are the file's own, bit for bit. What a product rounds is its tokens: to 16
bits, with a scale for every 32 numbers (llama.cpp rounds them to 8). A token's logits
do not depend on who is computed beside it or before it, to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from labkit.config import ModelConfig
from labkit.model.inputs import ForwardInputs
from labkit.model.kv_store import KVStore
from labkit.native.checks import (
    addresses,
    refusal_error,
    require_floats,
    store_addresses,
)
from labkit.native.kernels import Kernels, Pass
from labkit.native.packing import PackedModel
from labkit.native.scratch import ScratchBuffers

__all__ = ["PackedDecoder"]


class PackedDecoder:
    """The layers and the head of a Llama-family model, from packed weights.

    It keeps nothing between two passes: several threads may compute at once, each in
    scratch of its own.
    """

    def __init__(
        self, config: ModelConfig, tensors: Mapping[str, Tensor], kernels: Kernels
    ) -> None:
        self._config = config
        self._kernels = kernels
        self._packed = PackedModel(config, tensors, kernels)
        self.num_bytes = self._packed.num_bytes  # of the matrices

    @classmethod
    def open(
        cls, config: ModelConfig, tensors: Mapping[str, Tensor], cache: Path
    ) -> PackedDecoder | None:
        """A packed decoder; None where the kernels cannot be compiled."""
        kernels = Kernels.open(cache)
        return None if kernels is None else cls(config, tensors, kernels)

    def new_scratch(self) -> ScratchBuffers:
        """Scratch for one pass at a time."""
        return ScratchBuffers(self._config, self._kernels.num_threads)

    def run(
        self,
        x: Tensor,
        inputs: ForwardInputs,
        kv: KVStore,
        scratch: ScratchBuffers,
        depth: int,
    ) -> Tensor:
        """float32 logits [scored tokens, vocab] of x, float32 [tokens, width].

        It goes through the first `depth` layers, in place. IndexError for a slot that
        the store has not; ValueError for what else the kernels cannot read.
        """
        config, room = self._config, scratch.pointers(self._config)
        require_floats(x)
        if not 0 <= depth <= config.num_layers:
            raise ValueError(f"num_layers={depth}: the model has {config.num_layers}")
        lens, kept = inputs.query_lens, inputs.logit_indices
        rows = torch.tensor([row for row, num in enumerate(lens) for _ in range(num)])
        numbers = {
            "rows": rows,
            "context_lens": torch.tensor(inputs.context_lens),
            "positions": inputs.positions,
            "write_slots": inputs.write_slots,
            "read_slots": inputs.read_slots.contiguous(),
            "scored": kept,
        }
        logits = torch.empty(len(kept), config.vocab_size)
        width = inputs.read_slots.shape[1]
        step = Pass(
            *(len(x), len(kept), width, len(lens), kv.num_slots),
            *addresses(numbers),
            *store_addresses(*kv.tensors, config),
            *(x.data_ptr(), logits.data_ptr()),
        )
        refused = self._kernels.forward(self._packed.model, step, room, depth)
        if refused is not None:
            slots, longest = kv.num_slots, config.max_context
            raise refusal_error(*refused, numbers, num_slots=slots, max_context=longest)
        return logits

    def exert(self) -> int:
        """Multiply and add as products do, with nothing else to do: operations done."""
        return self._kernels.exert()
