"""One step's sampling: logits through the stages, then one token a row.

The order of `STAGES` is the order in which they run. Log-probabilities are those of the
model's own distribution, before any stage. The invariant is that a row's token depends
on its logits, knobs, seed and place in the output, and on nothing else in the batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Sequence as ListLike
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor

from labkit.errors import LabError
from labkit.sampling.noise import race_noise
from labkit.sampling.orders import STAGES
from labkit.sampling.rows import SamplingRows, is_greedy
from labkit.sampling.stages import Stage
from labkit.sampling.views import StageWatcher, Watch

__all__ = [
    "STAGES",
    "LogitsNotFinite",
    "Sampled",
    "SamplingRows",
    "Watch",
    "draw",
    "sample",
]


class LogitsNotFinite(LabError):
    """The model gave NaN or infinite logits to the rows of some `requests`."""

    def __init__(self, requests: Iterable[str]) -> None:
        self.requests = frozenset(requests)
        names = ", ".join(sorted(self.requests))
        super().__init__(f"the model gave logits that are not finite to {names}")


@dataclass(frozen=True, slots=True)
class Sampled:
    """One token a row; log-probabilities (natural log) where they were asked for."""

    token_ids: list[int]
    logprobs: list[float | None]
    tops: list[tuple[tuple[int, float], ...]]  # (token id, logprob), best first


def sample(
    logits: Tensor,
    rows: SamplingRows,
    watch: Watch | None = None,
    stages: ListLike[Stage] = STAGES,
) -> Sampled:
    """Choose the next token of every row from `logits` [rows, vocab], float32.

    `watch` is shown the model's distribution ("model"), each stage's result, whether
    the row uses it or not, and the "draw". Raises `LogitsNotFinite` before any of it.
    """
    best = places_of_largest(logits)
    _require_finite(logits, best, rows)
    watcher = StageWatcher(logits, rows, watch) if watch and rows.watched else None
    shaped = logits
    with _one_thread():
        for stage in stages:
            shaped = stage.run(shaped, rows)
            if watcher:
                watcher.show(stage.name, shaped)
        token_ids = draw(shaped, rows, best if shaped is logits else None)
        if watcher:
            watcher.show_draw(token_ids)
        return _with_logprobs(token_ids, logits, rows)


def draw(logits: Tensor, rows: SamplingRows, best: Tensor | None = None) -> Tensor:
    """One token a row: int64 [rows]; greedy rows take the best, if it is known.

    The others run an exponential race: of noise / p the smallest wins, which happens
    with probability p, without a cumulative sum.
    """
    drawn = [r for r, s in enumerate(rows.sequences) if not is_greedy(s.params)]
    if not drawn:
        return places_of_largest(logits) if best is None else best
    is_mixed = len(drawn) < rows.num_rows
    raced, racers = (logits[drawn], rows.take(drawn)) if is_mixed else (logits, rows)
    winners = places_of_largest(raced.softmax(dim=-1).div_(race_noise(racers)))
    if not is_mixed:
        return winners
    places = torch.tensor(drawn, device=logits.device)
    return places_of_largest(logits).index_put((places,), winners)


def places_of_largest(values: Tensor) -> Tensor:
    """Where each row of `values` [rows, n] is largest, first of equals: int64 [rows].

    On the CPU numpy looks eight numbers and more at a time where torch looks at one.
    """
    if values.device.type != "cpu":
        return values.argmax(dim=-1)
    return torch.from_numpy(values.numpy().argmax(axis=-1))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep torch's threads out of it.

    They would be woken for each row of 32,768 logits and more, and then spin for
    milliseconds where the decoder's threads are about to compute.
    """
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(num_threads)


def _require_finite(logits: Tensor, best: Tensor, rows: SamplingRows) -> None:
    """Raise unless each row's largest logit is a number: any NaN would be the largest.

    One torch operation takes longer than all of this with numpy.
    """
    if logits.device.type == "cpu":
        numbers = logits.numpy()
        largest = [numbers[row, place] for row, place in enumerate(best.tolist())]
    else:
        largest = logits.amax(dim=-1).tolist()
    bad = [row for row, value in enumerate(largest) if not isfinite(value)]
    if bad:
        raise LogitsNotFinite(rows.sequences[row].request for row in bad)


def _with_logprobs(token_ids: Tensor, logits: Tensor, rows: SamplingRows) -> Sampled:
    chosen = [int(token_id) for token_id in token_ids.tolist()]
    sampled = Sampled(chosen, [None] * rows.num_rows, [()] * rows.num_rows)
    for row, sequence in enumerate(rows.sequences):
        num_top = sequence.params.top_logprobs
        if num_top is None:
            continue
        logprobs = logits[row].log_softmax(dim=-1)  # [vocab]
        best = logprobs.topk(min(num_top, rows.vocab_size))
        top = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        sampled.logprobs[row] = float(logprobs[chosen[row]])
        sampled.tops[row] = tuple(top)
    return sampled
