"""Which device computes, and in which number format.

The only file that asks what hardware there is. Everything else takes a device and a
dtype as arguments and runs the same path on each.
"""

from __future__ import annotations

import torch

from labkit.errors import ConfigError

__all__ = ["default_dtype", "pick_device"]


def pick_device(wish: str = "auto") -> torch.device:
    """The device called `wish`; "auto" takes CUDA, then MPS, then the CPU.

    `ConfigError` where the wish is no device at all or is not on this machine.
    """
    if wish == "auto":
        return torch.device(_present()[0])
    try:
        device = torch.device(wish)
    except RuntimeError:
        raise ConfigError(f"device={wish!r}: use auto, cuda, mps or cpu") from None
    if device.type not in _present():
        raise ConfigError(
            f"device={wish!r} is not on this machine; use auto or one of: "
            f"{', '.join(_present())}"
        )
    return device


def default_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 on CUDA, float32 elsewhere, where it is exact or simply faster."""
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def _present() -> tuple[str, ...]:
    found = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    return tuple(name for name, is_here in found.items() if is_here)
