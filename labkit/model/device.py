"""Which device computes, and in which number format.

The only file that asks what hardware there is. Everything else takes a device and a
dtype as arguments and runs the same path on each.
"""

from __future__ import annotations

import torch

from labkit.errors import ConfigError

__all__ = ["default_dtype", "pick_device"]

BFLOAT16_SINCE = 8  # major compute capability of the first cards that multiply it


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


def default_dtype(
    device: torch.device, capability: tuple[int, int] | None = None
) -> torch.dtype:
    """bfloat16 on a CUDA card that computes in it, float32 elsewhere.

    `capability` is the card's compute capability, asked of the card by default. From
    8.0 (Ampere) on a card multiplies bfloat16; an older one takes such tensors and is
    slower with them than with float32.
    """
    if device.type != "cuda":
        return torch.float32
    major, _ = capability or torch.cuda.get_device_capability(device)
    return torch.bfloat16 if major >= BFLOAT16_SINCE else torch.float32


def _present() -> tuple[str, ...]:
    found = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    return tuple(name for name, is_here in found.items() if is_here)
