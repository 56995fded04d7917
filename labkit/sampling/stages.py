"""The sampling stages: each one takes logits and gives logits, one idea a function.

A dropped token's logit is minus infinity, so the softmax of any stage's output is the
distribution at that point, already renormalised. A stage only ever sees rows that use
it. The invariant is that at least one token of each row survives every stage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor

from labkit.sampling.rows import LIMIT, MIN_TEMPERATURE, SamplingRows
from labkit.sequence import SamplingParams

__all__ = [
    "FREQUENCY_PENALTY",
    "LOGIT_BIAS",
    "MIN_P",
    "PRESENCE_PENALTY",
    "REPETITION_PENALTY",
    "TEMPERATURE",
    "TOP_K",
    "TOP_P",
    "TYPICAL",
    "Stage",
    "bounded",
    "penalise_repetition",
]

NEUTRAL = SamplingParams()  # the defaults change nothing
DROPPED = -torch.inf
NUM_BEST = 1024  # tokens that are sorted before the whole vocabulary is
DOUBT = 1e-6  # what rounding may do to a sum of shares


@dataclass(frozen=True)
class Stage:
    """A named step from logits to logits; rows with neutral knobs pass it by."""

    name: str
    knobs: tuple[str, ...]  # fields of SamplingParams that switch it on
    apply: Callable[[Tensor, SamplingRows], Tensor]
    is_for_draw: bool = True  # False: it also moves the best token, so greedy needs it

    @cached_property
    def _setting(self) -> Callable[[SamplingParams], Any]:
        return attrgetter(*self.knobs)  # asked for each row of each step

    @cached_property
    def _neutral(self) -> Any:
        return self._setting(NEUTRAL)

    def run(self, logits: Tensor, rows: SamplingRows) -> Tensor:
        """Logits [rows, vocab] after this stage; the argument is not changed."""
        users, setting, neutral = list[int](), self._setting, self._neutral
        for row, sequence in enumerate(rows.sequences):
            params = sequence.params
            if self.is_for_draw and params.temperature < MIN_TEMPERATURE:
                continue
            if setting(params) != neutral:
                users.append(row)
        if not users:
            return logits
        if len(users) == len(rows.sequences):
            return self.apply(logits, rows)
        return logits.index_copy(
            0,
            torch.tensor(users, device=rows.device),
            self.apply(logits[users], rows.take(users)),
        )


def bounded(logits: Tensor) -> Tensor:
    """Keep live logits within float32's reach; dropped ones stay dropped."""
    return torch.where(logits == DROPPED, logits, logits.clamp(-LIMIT, LIMIT))


def add_bias(logits: Tensor, rows: SamplingRows) -> Tensor:
    """Add each row's biases to the logits of the tokens they name."""
    biased = logits.clone()
    for row in range(len(rows.sequences)):
        token_ids, added = rows.bias(row)
        biased[row, token_ids] = bounded(biased[row, token_ids] + added)
    return biased


def penalise_repetition(logits: Tensor, rows: SamplingRows, seen: Tensor) -> Tensor:
    """Divide positive and multiply negative logits of `seen` tokens [rows, vocab]."""
    penalty = rows.column("repetition_penalty", lowest=1 / LIMIT)
    penalised = torch.where(logits > 0, logits / penalty, logits * penalty)
    return bounded(torch.where(seen, penalised, logits))


def _repetition(logits: Tensor, rows: SamplingRows) -> Tensor:
    """Repetition penalty over prompt and output (CTRL, arXiv 1909.05858)."""
    return penalise_repetition(logits, rows, rows.counts(with_prompt=True) > 0)


def _frequency(logits: Tensor, rows: SamplingRows) -> Tensor:
    """Take off the penalty once for every occurrence in the output."""
    counts = rows.counts(with_prompt=False)
    return bounded(logits - rows.column("frequency_penalty") * counts)


def _presence(logits: Tensor, rows: SamplingRows) -> Tensor:
    """Take off the penalty once if the token occurs in the output at all."""
    present = (rows.counts(with_prompt=False) > 0).float()
    return bounded(logits - rows.column("presence_penalty") * present)


def _temperature(logits: Tensor, rows: SamplingRows) -> Tensor:
    """Divide by the temperature; with the best at 0 nothing can overflow upwards."""
    best = logits.amax(dim=-1, keepdim=True)
    return (logits - best) / rows.column("temperature")


def _top_k(logits: Tensor, rows: SamplingRows) -> Tensor:
    """Keep the k best; tokens that tie with the k-th are kept too."""
    k = rows.top_k()
    best = logits.topk(int(k.max()), dim=-1).values  # best first
    return torch.where(logits < best.gather(1, k - 1), DROPPED, logits)


def _top_p(logits: Tensor, rows: SamplingRows) -> Tensor:
    """Drop the tail: the least likely tokens whose mass together is at most 1 - p.

    Looks at the best few first, in float64, which only the CPU is sure to have. Where
    these leave a doubt (the tail begins after them, in a tie, or within rounding of
    1 - p), the whole vocabulary is sorted.
    """
    num_best = min(NUM_BEST, rows.vocab_size)
    best, order = logits.topk(num_best, dim=-1)  # best first
    probs = logits.softmax(dim=-1)
    before = probs.gather(1, order).cpu().cumsum(dim=-1, dtype=torch.float64)
    tail = (_sums(probs) - before)[:, :-1]  # mass after the best, the two best, ...
    room = 1 - rows.column("top_p").cpu()
    place = (tail > room).sum(dim=-1, keepdim=True)  # of the last one kept
    is_clear = (place < num_best - 1) & ((tail - room).abs() > DOUBT).all(-1, True)
    last = place.to(logits.device)
    floor = best.gather(1, last)
    is_sure = best.gather(1, (last + 1).clamp(max=num_best - 1)) < floor
    is_sure &= is_clear.to(logits.device)
    kept = torch.where(logits < floor, DROPPED, logits)
    if unsure := (~is_sure[:, 0]).nonzero()[:, 0].tolist():
        kept[unsure] = _top_p_by_sort(logits[unsure], rows.take(unsure))
    return kept


def _sums(values: Tensor) -> Tensor:
    """The sum of each row: float64 [rows, 1] on the CPU.

    A device adds up in float32, within the doubt that top-p allows for.
    """
    if values.device.type == "cpu":
        return values.sum(dim=-1, keepdim=True, dtype=torch.float64)
    return values.sum(dim=-1, keepdim=True).cpu().double()


def _top_p_by_sort(logits: Tensor, rows: SamplingRows) -> Tensor:
    rising, order = logits.sort(dim=-1, stable=True)  # worst first
    tail = rising.softmax(dim=-1).cumsum(dim=-1)
    is_dropped = tail <= 1 - rows.column("top_p")
    is_dropped[:, -1] = False  # the best always survives
    return logits.masked_fill(is_dropped.scatter(1, order, is_dropped), DROPPED)


def _min_p(logits: Tensor, rows: SamplingRows) -> Tensor:
    """Drop tokens less likely than min_p times the best (arXiv 2407.01082)."""
    probs = logits.softmax(dim=-1)
    floor = rows.column("min_p") * probs.amax(dim=-1, keepdim=True)
    return torch.where(probs < floor, DROPPED, logits)


def _typical(logits: Tensor, rows: SamplingRows) -> Tensor:
    """Keep tokens whose surprise is nearest the entropy (arXiv 2202.00666).

    Nearest first until their mass reaches typical_p; ties with the last one are kept.
    """
    probs = logits.softmax(dim=-1)
    entropy = _sums(torch.special.entr(probs)).float().to(logits.device)
    distance = (-logits.log_softmax(dim=-1) - entropy).abs()  # inf where dropped
    share = rows.column("typical_p").cpu()
    for num_near in (min(NUM_BEST, rows.vocab_size), rows.vocab_size):
        rising, order = distance.topk(num_near, dim=-1, largest=False)
        mass = probs.gather(1, order).cpu().cumsum(dim=-1, dtype=torch.float64)
        if bool((mass[:, -1:] >= share).all()):
            break
    num_before = (mass < share).sum(dim=-1, keepdim=True).to(logits.device)
    farthest = rising.gather(1, num_before.clamp(max=num_near - 1))
    return torch.where(distance > farthest, DROPPED, logits)


LOGIT_BIAS = Stage("logit_bias", ("logit_bias",), add_bias, is_for_draw=False)
REPETITION_PENALTY = Stage(
    "repetition_penalty", ("repetition_penalty",), _repetition, is_for_draw=False
)
FREQUENCY_PENALTY = Stage(
    "frequency_penalty", ("frequency_penalty",), _frequency, is_for_draw=False
)
PRESENCE_PENALTY = Stage(
    "presence_penalty", ("presence_penalty",), _presence, is_for_draw=False
)
TEMPERATURE = Stage("temperature", ("temperature",), _temperature)
TOP_K = Stage("top_k", ("top_k",), _top_k)
TOP_P = Stage("top_p", ("top_p",), _top_p)
MIN_P = Stage("min_p", ("min_p",), _min_p)
TYPICAL = Stage("typical", ("typical_p",), _typical)
