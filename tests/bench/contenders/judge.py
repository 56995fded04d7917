"""The slow truth: float32 logits of the dequantised GGUF, and distances from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labkit.model import reference
from labkit.model.weights import load_model

__all__ = ["Judge", "distance"]


class Judge:
    """The reference model; compares saved logits with its own."""

    def __init__(self, weights: str, threads: int) -> None:
        torch.set_num_threads(threads)
        plain = load_model(
            Path(weights), device="cpu", dtype=torch.float32, kernels="torch"
        )
        self._decoder = plain.decoder
        self._truth: dict[int, Tensor] = {}

    def facts(self) -> dict[str, str]:
        """What it is."""
        return {"reference": "the GGUF dequantised to float32, computed the plain way"}

    def compare(self, windows: Sequence[Sequence[int]], path: str) -> dict[str, Any]:
        """Mean KL(reference ‖ saved) in nats, and how often both like one token best.

        `path` holds float32 [windows, tokens, vocab].
        """
        found = np.load(path, mmap_mode="r")
        totals = [
            distance(self._logits(place, window), torch.tensor(found[place]))
            for place, window in enumerate(windows)
        ]
        num_positions = sum(len(window) for window in windows)
        return {
            "mean_kl": sum(kl for kl, _ in totals) / num_positions,
            "greedy_agreement": sum(same for _, same in totals) / num_positions,
            "positions": num_positions,
        }

    def _logits(self, place: int, window: Sequence[int]) -> Tensor:
        if place not in self._truth:
            self._truth[place] = reference.logits(self._decoder, window)
        return self._truth[place]


def distance(wanted: Tensor, found: Tensor) -> tuple[float, int]:
    """Summed KL(wanted ‖ found) in nats and rows with one best; both [rows, vocab]."""
    p, q = wanted.double().log_softmax(-1), found.double().log_softmax(-1)
    kl = (p.exp() * (p - q)).sum()
    same = (wanted.argmax(-1) == found.argmax(-1)).sum()
    return float(kl), int(same)
