"""The machine itself: how fast it moves bytes and multiplies, by plain torch calls.

These are the roofs that a figure is a share of. Buffers are far larger than any cache;
each answer is the best of a few tries, as a roof is what can be reached.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

__all__ = ["Machine"]

NUM_VALUES = 1 << 26  # float32: 256 MB
SIDES = (256, 1024)  # of the matrices multiplied; the small ones show a slow format
QUICK_S = 0.005  # for the small ones
TRIES = 5
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Machine:
    """Copy and read bandwidth in bytes/s, products in operations/s."""

    def __init__(
        self,
        weights: str,
        threads: int,
        device: str = "cpu",
        num_values: int = NUM_VALUES,
    ) -> None:
        torch.set_num_threads(threads)
        self._settle = torch.cuda.synchronize if device == "cuda" else _at_once
        self._source = torch.ones(num_values, device=device)
        self._target = torch.empty(num_values, device=device)

    def copy(self) -> float:
        """Bytes/s of a copy, each byte counted when read and when written."""
        wall_s = self._best(lambda: self._target.copy_(self._source))
        return 2 * self._source.nbytes / wall_s

    def read(self) -> float:
        """Bytes/s of a sum."""
        return self._source.nbytes / self._best(self._source.sum)

    def products(self) -> dict[str, float]:
        """Operations/s of a square matrix product, by number format."""
        return {name: self._product(dtype) for name, dtype in DTYPES.items()}

    def _product(self, dtype: torch.dtype) -> float:
        rate = 0.0
        for side in SIDES:
            left = torch.ones(side, side, dtype=dtype, device=self._source.device)
            wall_s = self._best(lambda left=left: left @ left)  # type: ignore[misc]
            rate = max(rate, 2 * side**3 / wall_s)
            if wall_s > QUICK_S:
                break
        return rate

    def facts(self) -> dict[str, Any]:
        """What torch says of the machine."""
        return {
            "torch": torch.__version__,
            "capability": torch.backends.cpu.get_cpu_capability(),
            "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        }

    def _best(self, action: Callable[[], object]) -> float:
        found = []
        for _ in range(TRIES):
            self._settle()
            started = time.perf_counter()
            action()
            self._settle()
            found.append(time.perf_counter() - started)
        return min(found)


def _at_once() -> None:
    """On the CPU a call is done when it returns."""
