"""The logits of a step become the new tokens of each of its rows.

Joins the sampling pipeline and speculative drafts to the open requests, and shows each
stage to the requests that have a `watch` callback. The invariant is that the tokens a
row gets depend on its own logits and its own request only: logits that are not finite
and a callback that raises end that request and no other.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as ListLike
from itertools import islice

from torch import Tensor

from labkit.engine.output_processor import OutputProcessor
from labkit.engine.plan import PlannedRow
from labkit.engine.speculative import Speculator
from labkit.records import StageView
from labkit.sampling.pipeline import LogitsNotFinite, SamplingRows, sample
from labkit.sampling.rows import BiasTensors
from labkit.sampling.verify import hypotheses, num_standing
from labkit.sequence import Sequence

__all__ = ["Sampler", "Scored"]

Scored = tuple[int, float | None, tuple[tuple[int, float], ...]]  # token, its logprobs


class Sampler:
    """Samples for the requests in `processors`, as they are at each step.

    `failures` says which requests of the last step cannot go on, and why.
    """

    def __init__(
        self,
        processors: Mapping[str, OutputProcessor],
        vocab_size: int,
        speculator: Speculator,
    ) -> None:
        self.failures: dict[str, str] = {}
        self._processors = processors
        self._vocab_size = vocab_size
        self._speculator = speculator
        self._biases: dict[str, BiasTensors] = {}  # made once a request

    def propose(
        self, sequence: Sequence, most: int, num_running: int
    ) -> tuple[int, ...]:
        """Drafts for `sequence`; none where somebody watches it token by token."""
        if self._processors[sequence.request].watch is not None:
            return ()
        return self._speculator.propose(sequence, most, num_running)

    def forget(self, request: str) -> None:
        """Drop what is kept for a request that ended."""
        self._biases.pop(request, None)
        if self._speculator.max_drafts:
            self._speculator.forget(request)

    def sample(
        self, rows: ListLike[PlannedRow], logits: Tensor
    ) -> dict[str, list[Scored]]:
        """The new tokens of sampled `rows`: the drafts that stand, and one more.

        Those of a request in `failures` are not to be used. Raises `LogitsNotFinite`
        where no row has logits to choose from: then it is the model that fails.
        """
        self.failures.clear()
        if not rows:
            return {}
        try:
            return self._sample(rows, logits)
        except LogitsNotFinite as failure:
            bad = dict.fromkeys(failure.requests, str(failure))
            if all(row.request in bad for row in rows):
                raise
        self.failures = bad
        places = [row.request for row in rows for _ in range(row.num_logits)]
        kept = [place for place, request in enumerate(places) if request not in bad]
        good = [row for row in rows if row.request not in bad]
        return self._sample(good, logits[kept])

    def _sample(
        self, rows: ListLike[PlannedRow], logits: Tensor
    ) -> dict[str, list[Scored]]:
        grown: list[Sequence] = []
        watched: list[str] = []
        for row in rows:
            processor = self._processors[row.part.request]
            if row.draft_ids:
                grown += hypotheses(processor.sequence, row.draft_ids)
            else:
                grown.append(processor.sequence)
            if processor.watch is not None:
                watched.append(row.part.request)
        batch = SamplingRows.build(
            grown, self._vocab_size, logits.device, watched, self._biases
        )
        sampled = sample(logits, batch, self._show if watched else None)
        scored = zip(sampled.token_ids, sampled.logprobs, sampled.tops, strict=True)
        chosen: dict[str, list[Scored]] = {}
        for row in rows:
            if row.draft_ids:
                chosen[row.part.request] = self._judge(row, scored)
            else:
                chosen[row.part.request] = [next(scored)]
        return chosen

    def _judge(self, row: PlannedRow, scored: Iterator[Scored]) -> list[Scored]:
        """What a row may keep of its draws, one for each place of its drafts."""
        drawn = [*islice(scored, row.num_logits)]
        num = num_standing(row.draft_ids, [token_id for token_id, _, _ in drawn])
        self._speculator.settle(row.request, len(row.draft_ids), num)
        return drawn[: num + 1]

    def _show(self, request: str, view: StageView) -> None:
        watch = self._processors[request].watch
        assert watch is not None, f"{request} is shown but nobody watches it"
        if request in self.failures:
            return
        try:
            watch(request, view)
        except Exception as error:
            logging.getLogger(__name__).exception("the watch of %s failed", request)
            self.failures[request] = f"{type(error).__name__}: {error}"
