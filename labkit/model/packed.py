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
from labkit.native.kernels import Kernels, Pass
from labkit.native.packing import PackedModel, can_pack

__all__ = ["PackedDecoder"]


class PackedDecoder:
    """The layers and the head of a Llama-family model, from packed weights."""

    def __init__(
        self, config: ModelConfig, tensors: Mapping[str, Tensor], kernels: Kernels
    ) -> None:
        self._vocab_size = config.vocab_size
        self._kernels = kernels
        self._packed = PackedModel(config, tensors, kernels)
        self.num_bytes = self._packed.num_bytes  # of the matrices

    @classmethod
    def open(
        cls, config: ModelConfig, tensors: Mapping[str, Tensor], cache: Path
    ) -> PackedDecoder | None:
        """A packed decoder; None where blocks, shape or compiler do not allow one."""
        kernels = Kernels.open(cache) if can_pack(config, tensors) else None
        return None if kernels is None else cls(config, tensors, kernels)

    def run(self, x: Tensor, inputs: ForwardInputs, kv: KVStore, depth: int) -> Tensor:
        """float32 logits [scored tokens, vocab] of x, float32 [tokens, width].

        It goes through the first `depth` layers, in place.
        """
        rows = [row for row, num in enumerate(inputs.query_lens) for _ in range(num)]
        sequences = torch.tensor(rows)  # of each token
        read_slots, scored = inputs.read_slots.contiguous(), inputs.logit_indices
        logits = torch.empty(len(scored), self._vocab_size)
        step = Pass(
            inputs.num_tokens,
            len(scored),
            read_slots.shape[1],
            sequences.data_ptr(),
            inputs.positions.data_ptr(),
            inputs.write_slots.data_ptr(),
            read_slots.data_ptr(),
            scored.data_ptr(),
            *kv.addresses(),
            x.data_ptr(),
            logits.data_ptr(),
        )
        self._kernels.forward(self._packed.model, step, self._packed.room, depth)
        return logits

    def exert(self) -> int:
        """Multiply and add as products do, with nothing else to do: operations done."""
        return self._kernels.exert()
