"""Logits of a step → the new tokens of each of its rows, shown to whoever watches.

It joins sampling to the open requests and changes neither. The invariant is that what a
row gets depends on its own logits and request only.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from labkit.engine.outlet import Outlet
from labkit.engine.plan import Plan
from labkit.records import StageView
from labkit.sampling.pipeline import SamplingRows, sample

__all__ = ["Chooser", "Scored"]

Scored = tuple[int, float | None, tuple[tuple[int, float], ...]]  # token, its logprobs


class Chooser:
    """Samples for the requests in `outlets`, as they are at each step."""

    def __init__(
        self, outlets: Mapping[str, Outlet], vocab_size: int, device: torch.device
    ) -> None:
        self._outlets = outlets
        self._vocab_size = vocab_size
        self._device = device

    def choose(self, plan: Plan, logits: Tensor) -> list[list[Scored]]:
        """The new tokens of every row of `plan.sampled`, at least one each."""
        if not plan.sampled:
            return []
        outlets = [self._outlets[row.request] for row in plan.sampled]
        watched = {o.sequence.request for o in outlets if o.watch is not None}
        sequences = [outlet.sequence for outlet in outlets]
        rows = SamplingRows.build(sequences, self._vocab_size, self._device, watched)
        sampled = sample(logits, rows, self._show)
        each = zip(sampled.token_ids, sampled.logprobs, sampled.tops, strict=True)
        return [[scored] for scored in each]

    def _show(self, request: str, view: StageView) -> None:
        watch = self._outlets[request].watch
        assert watch is not None, f"{request} is shown but nobody watches it"
        watch(request, view)
