"""Logits of a step → the new tokens of each of its rows, shown to whoever watches.

It joins sampling and drafts to the open requests and changes neither. The invariant is
that what a row gets depends on its own logits and request only.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from torch import Tensor

from labkit.engine.outlet import Outlet
from labkit.engine.plan import Plan, PlannedRow
from labkit.engine.speculative import Speculator
from labkit.records import StageView
from labkit.sampling.pipeline import SamplingRows, sample
from labkit.sampling.verify import hypotheses, num_standing
from labkit.sequence import Sequence

__all__ = ["Chooser", "Scored"]

Scored = tuple[int, float | None, tuple[tuple[int, float], ...]]  # token, its logprobs


class Chooser:
    """Samples for the requests in `outlets`, as they are at each step."""

    def __init__(
        self,
        outlets: Mapping[str, Outlet],
        vocab_size: int,
        speculator: Speculator,
    ) -> None:
        self._outlets = outlets
        self._vocab_size = vocab_size
        self._speculator = speculator

    def propose(
        self, sequence: Sequence, most: int, num_running: int
    ) -> tuple[int, ...]:
        """Drafts for `sequence`; none where somebody watches it token by token."""
        if self._outlets[sequence.request].watch is not None:
            return ()
        return self._speculator.propose(sequence, most, num_running)

    def choose(self, plan: Plan, logits: Tensor) -> list[list[Scored]]:
        """The new tokens of every row of `plan.sampled`: drafts that stand, and one."""
        if not plan.sampled:
            return []
        outlets = [self._outlets[row.request] for row in plan.sampled]
        watched = {o.sequence.request for o in outlets if o.watch is not None}
        grown = [
            each
            for row, outlet in zip(plan.sampled, outlets, strict=True)
            for each in hypotheses(outlet.sequence, row.draft_ids)
        ]
        rows = SamplingRows.build(grown, self._vocab_size, logits.device, watched)
        sampled = sample(logits, rows, self._show)
        scored = zip(sampled.token_ids, sampled.logprobs, sampled.tops, strict=True)
        return [self._judge(r, [*islice(scored, r.num_logits)]) for r in plan.sampled]

    def _judge(self, row: PlannedRow, scored: list[Scored]) -> list[Scored]:
        """What a row may keep of its draws, one for each place of its drafts."""
        num = num_standing(row.draft_ids, [token_id for token_id, _, _ in scored])
        if row.draft_ids:
            self._speculator.settle(row.request, len(row.draft_ids), num)
        return scored[: num + 1]

    def _show(self, request: str, view: StageView) -> None:
        watch = self._outlets[request].watch
        assert watch is not None, f"{request} is shown but nobody watches it"
        watch(request, view)
