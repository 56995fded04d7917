"""The decoder over a GGUF's own 4-bit blocks, on the CPU.

A decode step is bound by the bytes it reads, and 4-bit blocks are an eighth of float32.
The weights are the file's own, bit for bit. What a product rounds is its tokens: to 16
bits, with a scale for every 32 numbers (llama.cpp rounds them to 8). A token's logits
do not depend on who is computed beside it or before it, to the last bit.

What PyTorch checks in every call is checked here, as C would read and write anywhere: a
slot or a position that is not there is an IndexError or a ValueError that names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from labkit.config import ModelConfig
from labkit.model.inputs import ForwardInputs
from labkit.model.kv_store import KVStore
from labkit.native.kernels import Kernels, Pass, Refusal
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
        self._require(x, kv, scratch, depth)
        lens = inputs.query_lens
        rows = torch.tensor([row for row, num in enumerate(lens) for _ in range(num)])
        seen, scored = torch.tensor(inputs.context_lens), inputs.logit_indices
        read_slots = inputs.read_slots.contiguous()
        logits = torch.empty(len(scored), self._config.vocab_size)
        step = Pass(
            len(x),
            len(scored),
            read_slots.shape[1],
            len(lens),
            kv.num_slots,
            rows.data_ptr(),
            seen.data_ptr(),
            _numbers("positions", inputs.positions),
            _numbers("write_slots", inputs.write_slots),
            _numbers("read_slots", read_slots),
            scored.data_ptr(),
            *kv.addresses(),
            x.data_ptr(),
            logits.data_ptr(),
        )
        model = self._packed.model
        refused = self._kernels.forward(model, step, scratch.pointers, depth)
        if refused is not None:
            raise _error(*refused, inputs, kv, self._config)
        return logits

    def exert(self) -> int:
        """Multiply and add as products do, with nothing else to do: operations done."""
        return self._kernels.exert()

    def _require(
        self, x: Tensor, kv: KVStore, scratch: ScratchBuffers, depth: int
    ) -> None:
        """ValueError unless all has the shape and kind that the kernels read."""
        config = self._config
        if not (x.dtype == torch.float32 and x.is_cpu and x.is_contiguous()):
            raise ValueError(
                f"the tokens are {x.dtype} on {x.device}: the kernels read float32 on "
                "the CPU; use kernels='torch'"
            )
        if not kv.fits(config):
            raise ValueError(
                f"the store holds {kv.dtype} of another shape or place than this "
                "model's float32 on the CPU; make it with decoder.new_store()"
            )
        if scratch.config is not config:
            raise ValueError(
                "the scratch was made for another model; make it with "
                "decoder.new_scratch()"
            )
        if not 0 <= depth <= config.num_layers:
            raise ValueError(f"num_layers={depth}: the model has {config.num_layers}")


def _numbers(name: str, values: Tensor) -> int:
    """Where a tensor of whole numbers lies."""
    if not (values.dtype == torch.int64 and values.is_cpu and values.is_contiguous()):
        raise ValueError(
            f"{name} is {values.dtype} on {values.device} with strides "
            f"{values.stride()}: the kernels read contiguous int64 on the CPU"
        )
    return values.data_ptr()


def _error(
    why: Refusal, index: int, inputs: ForwardInputs, kv: KVStore, config: ModelConfig
) -> Exception:
    """What PyTorch would raise, or say, of the number at fault."""
    if why is Refusal.CONTEXT:
        return ValueError(
            f"context_lens[{index}] is {inputs.context_lens[index]}: the model's "
            f"positions end at {config.max_context}; shorten the sequence"
        )
    if why is Refusal.POSITION:
        return ValueError(
            f"positions[{index}] is {int(inputs.positions[index])}: a sequence's new "
            "tokens stand one after another, from 0, and end where its context ends: "
            f"query_lens={inputs.query_lens}, context_lens={inputs.context_lens}"
        )
    assert why in (Refusal.WRITE_SLOT, Refusal.READ_SLOT), f"{why.name}: {index}"
    name = "write_slots" if why is Refusal.WRITE_SLOT else "read_slots"
    slot = int(getattr(inputs, name).flatten()[index])
    return IndexError(
        f"{name} names slot {slot} (number {index}): the store has slots 0 to "
        f"{kv.num_slots - 1}"
    )
