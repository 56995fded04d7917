"""The decoder over a GGUF's own 4-bit blocks, on the CPU.

A decode step is bound by the bytes it reads, and 4-bit blocks are an eighth of float32.
The weights are the file's own, bit for bit. What a product rounds is its tokens: to 16
bits, with a scale for every 32 numbers (llama.cpp rounds them to 8). A token's logits
do not depend on who is computed beside it or before it, to the last bit.

What PyTorch checks in every call is checked here, before C reads or writes an address:
a slot that is not there is an IndexError, a tensor of another kind, lengths that do not
agree or positions that do not fit are a ValueError. All name what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from labkit.config import ModelConfig
from labkit.native.kernels import Kernels, Pass, Refusal
from labkit.native.packing import PackedModel
from labkit.native.scratch import ScratchBuffers

__all__ = ["PackedDecoder"]


class _PassInputs(Protocol):
    """What a pass has to be told; `ForwardInputs` of the model says it."""

    @property
    def positions(self) -> Tensor: ...
    @property
    def write_slots(self) -> Tensor: ...
    @property
    def read_slots(self) -> Tensor: ...
    @property
    def query_lens(self) -> tuple[int, ...]: ...
    @property
    def context_lens(self) -> tuple[int, ...]: ...
    @property
    def num_logits(self) -> tuple[int, ...]: ...


class _Store(Protocol):
    """Keys and values, [layers, slots, kv_heads, head_dim]; the model's `KVStore`."""

    @property
    def tensors(self) -> tuple[Tensor, Tensor]: ...


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
        inputs: _PassInputs,
        kv: _Store,
        scratch: ScratchBuffers,
        depth: int,
    ) -> Tensor:
        """float32 logits [scored tokens, vocab] of x, float32 [tokens, width].

        It goes through the first `depth` layers, in place. IndexError for a slot that
        the store has not; ValueError for what else the kernels cannot read.
        """
        config, (keys, values) = self._config, kv.tensors
        self._require(x, scratch, depth)
        _require_store(keys, values, config)
        numbers = _numbers(inputs, len(x))
        scored, read_slots = numbers["scored"], numbers["read_slots"]
        logits = torch.empty(len(scored), config.vocab_size)
        num_rows, width = read_slots.shape
        step = Pass(
            *(len(x), len(scored), width, num_rows, keys.shape[1]),
            *map(Tensor.data_ptr, numbers.values()),
            *(keys.data_ptr(), values.data_ptr(), keys.stride(0)),
            *(x.data_ptr(), logits.data_ptr()),
        )
        model, room = self._packed.model, scratch.pointers
        refused = self._kernels.forward(model, step, room, depth)
        if refused:
            raise _refusal_error(refused, numbers, keys.shape[1], config.max_context)
        return logits

    def exert(self) -> int:
        """Multiply and add as products do, with nothing else to do: operations done."""
        return self._kernels.exert()

    def _require(self, x: Tensor, scratch: ScratchBuffers, depth: int) -> None:
        """ValueError unless the kernels can compute `x` in place, in `scratch`."""
        if not (x.dtype == torch.float32 and x.is_cpu and x.is_contiguous()):
            raise ValueError(
                f"the tokens are {x.dtype} on {x.device}: the kernels compute float32 "
                "on the CPU; use kernels='torch'"
            )
        if scratch.config is not self._config:
            raise ValueError(
                "the scratch was made for another model; make it with "
                "decoder.new_scratch()"
            )
        if not 0 <= depth <= self._config.num_layers:
            raise ValueError(
                f"num_layers={depth}: the model has {self._config.num_layers}"
            )


def _numbers(inputs: _PassInputs, num_tokens: int) -> dict[str, Tensor]:
    """The tensors of whole numbers that C reads, in the order of `Pass`."""
    rows, scored = list[int](), list[int]()  # each token's row, tokens to score
    lens = zip(inputs.query_lens, inputs.num_logits, strict=True)
    for row, (new, num) in enumerate(lens):
        if not 0 <= num <= new:
            raise ValueError(f"{num} of {new} new tokens cannot be scored")
        rows += [row] * new
        scored += range(len(rows) - num, len(rows))
    numbers = {
        "rows": torch.tensor(rows),
        "context_lens": torch.tensor(inputs.context_lens),
        "positions": inputs.positions,
        "write_slots": inputs.write_slots,
        "read_slots": inputs.read_slots.contiguous(),
        "scored": torch.tensor(scored, dtype=torch.int64),
    }
    num_rows = len(inputs.query_lens)
    lengths = (num_tokens, num_rows, num_tokens, num_tokens, num_rows, len(scored))
    for (name, each), length in zip(numbers.items(), lengths, strict=True):
        if not (each.dtype == torch.int64 and each.is_cpu and each.is_contiguous()):
            raise ValueError(
                f"{name} is {each.dtype} on {each.device} with strides "
                f"{each.stride()}: the kernels read contiguous int64 on the CPU"
            )
        if len(each) != length:
            raise ValueError(
                f"{name} has {len(each)} entries: {num_tokens} tokens in {num_rows} "
                f"sequences have {length}"
            )
    return numbers


def _require_store(keys: Tensor, values: Tensor, config: ModelConfig) -> None:
    """ValueError unless keys and values lie as the kernels write them.

    Both are float32, a layer's slots one after another; layers may lie apart.
    """
    wanted = (config.num_layers, *keys.shape[1:2], config.num_kv_heads, config.head_dim)
    if not (
        keys.dtype == values.dtype == torch.float32
        and keys.is_cpu
        and keys.shape == values.shape == wanted
        and keys.stride() == values.stride()
        and keys[0].is_contiguous()
    ):
        raise ValueError(
            f"the store holds {keys.dtype} {tuple(keys.shape)} on {keys.device}, the "
            f"kernels write float32 {wanted} on the CPU; make it with "
            "decoder.new_store()"
        )


def _refusal_error(
    code: int, numbers: Mapping[str, Tensor], num_slots: int, max_context: int
) -> Exception:
    """The error for a pass that C refused: one number of one tensor is wrong."""
    why, index = Refusal(code >> 48), code & (1 << 48) - 1
    name = why.name.lower()
    value = int(numbers[name].flatten()[index])
    if why is Refusal.CONTEXT_LENS:
        return ValueError(
            f"context_lens[{index}] is {value}: the model's positions end at "
            f"{max_context}; shorten the sequence"
        )
    if why is Refusal.POSITIONS:
        return ValueError(
            f"positions[{index}] is {value}: a sequence's new tokens stand one after "
            "another, from 0, and end where its context ends: "
            f"context_lens={numbers['context_lens'].tolist()}"
        )
    return IndexError(
        f"{name} names slot {value} (number {index}): the store has slots 0 to "
        f"{num_slots - 1}"
    )
