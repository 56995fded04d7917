"""One step's sampling: logits through the stages, then one token a row.

The order of `STAGES` is the order in which they run. Log-probabilities are those of the
model's own distribution, before any stage. The noise of a draw is made on the CPU from
a row's seed and its place in the output, never from time, batch or device. The
invariant is that a row's token depends on its logits, knobs, seed and place in the
output, and on nothing else in the batch.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as ListLike
from dataclasses import dataclass
from hashlib import blake2b
from math import isfinite

import torch
from torch import Tensor

from labkit.errors import LabError
from labkit.sampling.orders import STAGES
from labkit.sampling.rows import MIN_TEMPERATURE, SamplingRows
from labkit.sampling.stages import Stage
from labkit.sampling.views import StageWatcher, Watch

__all__ = [
    "STAGES",
    "LogitsNotFinite",
    "Sampled",
    "SamplingRows",
    "Watch",
    "draw",
    "exponential_noise",
    "sample",
]

LONGEST = 40.0  # beyond -log(2**-53); keeps the noise of a uniform 0 finite


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
    num_threads = torch.get_num_threads()
    # Torch's threads would be woken for each row of 32,768 logits and more, and then
    # spin for milliseconds where the decoder's threads are about to compute.
    torch.set_num_threads(1)
    try:
        for stage in stages:
            if not rows.used.isdisjoint(stage.knobs):
                shaped = stage.run(shaped, rows)
            if watcher:
                watcher.show(stage.name, shaped)
        token_ids = draw(shaped, rows, best if shaped is logits else None)
        if watcher:
            watcher.show_draw(token_ids)
        return _with_logprobs(token_ids, logits, rows)
    finally:
        torch.set_num_threads(num_threads)


def draw(logits: Tensor, rows: SamplingRows, best: Tensor | None = None) -> Tensor:
    """One token a row: int64 [rows]; greedy rows take the best, if it is known.

    The others run an exponential race: of noise / p the smallest wins, which happens
    with probability p, without a cumulative sum.
    """
    drawn = list[int]()
    for row, sequence in enumerate(rows.sequences):
        if sequence.params.temperature >= MIN_TEMPERATURE:
            drawn.append(row)
    if not drawn:
        return places_of_largest(logits) if best is None else best
    is_mixed = len(drawn) < len(rows.sequences)
    raced, racers = (logits[drawn], rows.take(drawn)) if is_mixed else (logits, rows)
    winners = places_of_largest(raced.softmax(dim=-1).div_(_noise(racers)))
    if not is_mixed:
        return winners
    places = torch.tensor(drawn, device=logits.device)
    return places_of_largest(logits).index_put((places,), winners)


def _noise(rows: SamplingRows) -> Tensor:
    """Noise for the next token of every row: float32 [rows, vocab], above 0."""
    noises = []
    for sequence in rows.sequences:
        seed, place = sequence.params.seed, len(sequence.output_ids)
        assert seed is not None, f"{sequence.request} has no seed: Engine.add gives one"
        noises.append(exponential_noise(seed, place, rows.vocab_size))
    return torch.stack(noises).to(rows.device)


def exponential_noise(seed: int, place: int, size: int) -> Tensor:
    """`size` draws of the exponential law with mean 1: float32 [size].

    Uniform numbers of 53 bits go through -log; torch's own exponential draw is slower
    and differs from platform to platform.
    """
    digest = blake2b(f"{seed}/{place}".encode(), digest_size=8).digest()
    source = torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
    uniform = torch.rand(size, generator=source, dtype=torch.float64)  # [0, 1)
    return uniform.log_().neg_().clamp_(max=LONGEST).float()


def places_of_largest(values: Tensor) -> Tensor:
    """Where each row of `values` [rows, n] is largest, first of equals: int64 [rows].

    On the CPU numpy looks eight numbers and more at a time where torch looks at one.
    """
    if values.device.type != "cpu":
        return values.argmax(dim=-1)
    return torch.from_numpy(values.numpy().argmax(axis=-1))


def _require_finite(logits: Tensor, best: Tensor, rows: SamplingRows) -> None:
    """Raise unless each row's largest logit is a number: any NaN would be the largest.

    One torch operation takes longer than all of this with numpy.
    """
    is_here = logits.device.type == "cpu"
    numbers = logits.numpy() if is_here else logits.amax(-1, True).cpu().numpy()
    bad = list[str]()
    for row, place in enumerate(best.tolist()):
        if not isfinite(numbers[row, place if is_here else 0]):
            bad.append(rows.sequences[row].request)
    if bad:
        raise LogitsNotFinite(bad)


def _with_logprobs(token_ids: Tensor, logits: Tensor, rows: SamplingRows) -> Sampled:
    chosen: list[int] = token_ids.tolist()
    sampled = Sampled(chosen, [None] * len(chosen), [()] * len(chosen))
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
