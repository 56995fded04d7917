"""The logits of a step become the new tokens of each of its rows.

Joins the sampling pipeline and speculative drafts to the open requests, and shows each
stage to the requests that have a `watch` callback. The invariant is that the tokens a
row gets depend on its own logits and its own request only.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from torch import Tensor

from labkit.engine.output_processor import OutputProcessor
from labkit.engine.plan import Plan, PlannedRow
from labkit.engine.speculative import Speculator
from labkit.records import StageView
from labkit.sampling.pipeline import SamplingRows, sample
from labkit.sampling.verify import hypotheses, num_standing
from labkit.sequence import Sequence

__all__ = ["Sampler", "Scored"]

Scored = tuple[int, float | None, tuple[tuple[int, float], ...]]  # token, its logprobs


class Sampler:
    """Samples for the requests in `processors`, as they are at each step."""

    def __init__(
        self,
        processors: Mapping[str, OutputProcessor],
        vocab_size: int,
        speculator: Speculator,
    ) -> None:
        self._processors = processors
        self._vocab_size = vocab_size
        self._speculator = speculator

    def propose(
        self, sequence: Sequence, most: int, num_running: int
    ) -> tuple[int, ...]:
        """Drafts for `sequence`; none where somebody watches it token by token."""
        if self._processors[sequence.request].watch is not None:
            return ()
        return self._speculator.propose(sequence, most, num_running)

    def sample(self, plan: Plan, logits: Tensor) -> list[list[Scored]]:
        """The new tokens of every row of `plan.sampled`: drafts that stand, and one."""
        if not plan.sampled:
            return []
        processors = [self._processors[row.request] for row in plan.sampled]
        watched = {p.sequence.request for p in processors if p.watch is not None}
        grown = [
            each
            for row, processor in zip(plan.sampled, processors, strict=True)
            for each in hypotheses(processor.sequence, row.draft_ids)
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
        watch = self._processors[request].watch
        assert watch is not None, f"{request} is shown but nobody watches it"
        watch(request, view)
