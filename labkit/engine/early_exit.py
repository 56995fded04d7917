"""Drafts from the model itself: its first layers, and then its output head.

Self-speculation (Zhang, arXiv 2309.08168; LayerSkip, arXiv 2404.16710) without any
training. The drafts use the sequence's own slots: what the first layers write there is
what the full pass writes again. The invariant is that the plan's shape is not changed.
"""

from __future__ import annotations

from dataclasses import replace

from labkit.engine.plan import Plan, PlannedRow
from labkit.engine.runner import Runner
from labkit.engine.speculative import TOKEN_COST
from labkit.sampling.pipeline import SamplingRows, sample
from labkit.sequence import Sequence

__all__ = ["EarlyExitDrafter"]


class EarlyExitDrafter:
    """Leaves the model after `num_layers` layers.

    A draft is drawn as the full model's token will be, with the noise of its place, so
    the nearer the two distributions are, the more often the two draws agree.
    """

    def __init__(self, runner: Runner, num_layers: int) -> None:
        self._runner = runner
        self._num_layers = num_layers
        self._sequences: dict[str, Sequence] = {}  # that are drafted for

    @property
    def cost(self) -> float:
        """Its share of the layers for each token in turn, and the verification."""
        return TOKEN_COST + self._num_layers / self._runner.num_layers

    def propose(self, sequence: Sequence, most: int) -> tuple[int, ...]:
        """Placeholders; `fill` computes the drafts."""
        self._sequences[sequence.request] = sequence
        return (0,) * most

    def fill(self, plan: Plan) -> Plan:
        """The plan with its drafts computed, one place of all rows at a time."""
        drafts: dict[str, list[int]] = {r.request: [] for r in plan.rows if r.draft_ids}
        for place in range(max((len(r.draft_ids) for r in plan.rows), default=0)):
            rows = [row for row in plan.rows if len(row.draft_ids) > place]
            ahead = tuple(_ahead(row, drafts[row.request]) for row in rows)
            for row, token_id in zip(
                rows, self._guess(plan, ahead, drafts), strict=True
            ):
                drafts[row.request].append(token_id)
        filled = (
            _filled(r, drafts[r.request]) if r.draft_ids else r for r in plan.rows
        )
        return replace(plan, rows=tuple(filled))

    def forget(self, request: str) -> None:
        """Drop a request that ended."""
        self._sequences.pop(request, None)

    def _guess(
        self, plan: Plan, ahead: tuple[PlannedRow, ...], drafts: dict[str, list[int]]
    ) -> list[int]:
        """The next draft of each row."""
        logits = self._runner.run(replace(plan, rows=ahead), self._num_layers)
        grown = []
        for row in ahead:
            sequence = self._sequences[row.request]
            output_ids = [*sequence.output_ids, *drafts[row.request]]
            grown.append(replace(sequence, output_ids=output_ids))
        vocab_size, device = logits.shape[1], logits.device
        rows = SamplingRows.build(grown, vocab_size, device, watched=())
        return sample(logits, rows).token_ids


def _ahead(row: PlannedRow, draft_ids: list[int]) -> PlannedRow:
    """The part of `row` that gives its next draft, after those in `draft_ids`."""
    known = len(row.token_ids) - len(row.draft_ids)
    first = known + len(draft_ids) - 1 if draft_ids else 0
    end = known + len(draft_ids)
    part = replace(row.part, start=row.part.start + first, num_tokens=end - first)
    return replace(
        row,
        part=part,
        token_ids=(*row.token_ids[:known], *draft_ids)[first:end],
        write_slots=row.write_slots[first:end],
        draft_ids=(),
    )


def _filled(row: PlannedRow, draft_ids: list[int]) -> PlannedRow:
    known = row.token_ids[: len(row.token_ids) - len(row.draft_ids)]
    return replace(row, token_ids=(*known, *draft_ids), draft_ids=tuple(draft_ids))
