"""What PyTorch checks in every call, checked before C reads or writes an address.

A slot that is not there is an IndexError, as indexing a tensor would raise; a tensor of
another kind, or positions that do not fit, are a ValueError. Both name what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from labkit.config import ModelConfig
from labkit.native.kernels import Refusal

__all__ = ["addresses", "refusal_error", "require_floats", "store_addresses"]


def addresses(numbers: Mapping[str, Tensor]) -> list[int]:
    """Where each of these tensors of whole numbers lies."""
    for name, each in numbers.items():
        if not (each.dtype == torch.int64 and each.is_cpu and each.is_contiguous()):
            raise ValueError(
                f"{name} is {each.dtype} on {each.device} with strides "
                f"{each.stride()}: the kernels read contiguous int64 on the CPU"
            )
    return [each.data_ptr() for each in numbers.values()]


def require_floats(x: Tensor) -> None:
    """ValueError unless the kernels can compute `x` in place."""
    if not (x.dtype == torch.float32 and x.is_cpu and x.is_contiguous()):
        raise ValueError(
            f"the tokens are {x.dtype} on {x.device}: the kernels compute float32 on "
            "the CPU; use kernels='torch'"
        )


def store_addresses(
    keys: Tensor, values: Tensor, config: ModelConfig
) -> tuple[int, int, int]:
    """Where keys and values begin, and numbers from a layer of them to the next.

    ValueError unless both are [layers, slots, kv_heads, head_dim] as the kernels write
    them: float32, a layer's slots one after another; layers may lie apart.
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
    return keys.data_ptr(), values.data_ptr(), keys.stride(0)


def refusal_error(
    why: Refusal,
    index: int,
    numbers: Mapping[str, Tensor],
    *,
    num_slots: int,
    max_context: int,
) -> Exception:
    """The error for a pass that C refused: number `index` of one tensor is wrong."""
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
