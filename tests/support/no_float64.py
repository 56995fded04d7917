"""A pretended device that has no float64, as Apple's MPS: the rules of a real one.

Tensors on it compute on the CPU underneath. What a real device refuses is refused in
its words: float64 there, numpy of its memory, and operations across two devices.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

__all__ = ["DEVICE", "DeviceTensor", "Pretended"]

DEVICE = torch.device("mps")
TO_THE_CPU = (Tensor.cpu, Tensor.tolist, Tensor.item)
CHECKS = (Tensor.__bool__, Tensor.__int__, Tensor.__float__, Tensor.__len__)


class DeviceTensor(Tensor):
    """A tensor that says it is on the device."""

    device = DEVICE  # type: ignore[assignment]  # a plain value in place of a getter


class Pretended(TorchFunctionMode):
    """`with Pretended():` tensors made on, or computed from, the device stay on it."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        is_target = kwargs.get("device") == DEVICE or (
            func is Tensor.to and DEVICE in args
        )
        if kwargs.get("device") == DEVICE:
            kwargs["device"] = torch.device("cpu")
        args = tuple(torch.device("cpu") if a is DEVICE else a for a in args)
        if func is Tensor.numpy and isinstance(args[0], DeviceTensor):
            raise TypeError("can't convert mps:0 device type tensor to numpy")
        found = [*tensors((args, kwargs))]
        is_on = [isinstance(each, DeviceTensor) for each in found if each.dim()]
        if any(is_on) and not all(is_on) and func is not Tensor.to:
            raise RuntimeError(
                f"{func}: expected all tensors to be on the same device, "
                "but found at least two devices, mps:0 and cpu"
            )
        with torch._C.DisableTorchFunctionSubclass():
            result = func(*args, **kwargs)
        stays = any(is_on) and func not in (*TO_THE_CPU, *CHECKS)
        return placed(result, stays or is_target, func)


def tensors(value: Any) -> Iterator[Tensor]:
    """The tensors among the arguments of a call."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from tensors(each)
    elif isinstance(value, dict):
        yield from tensors(tuple(value.values()))


def placed(result: Any, is_on_device: bool, func: Any) -> Any:
    """The result of a call, its tensors on the device or off it."""
    if isinstance(result, Tensor):
        if is_on_device and result.dtype == torch.float64:
            raise TypeError(
                f"{func}: Cannot convert a MPS Tensor to float64 dtype as the MPS "
                "framework doesn't support float64. Please use float32 instead."
            )
        return result.as_subclass(DeviceTensor if is_on_device else Tensor)
    if isinstance(result, tuple) and any(isinstance(r, Tensor) for r in result):
        kind = type(result)
        parts = [placed(each, is_on_device, func) for each in result]
        return kind(parts) if hasattr(kind, "n_fields") else tuple(parts)
    return result
