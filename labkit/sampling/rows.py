"""The sequences of one step as the rows of a logits tensor, with their knobs.

Built anew for every step and valid for that step only. The invariant is that row `i` of
every tensor belongs to `sequences[i]`, and that no row's values depend on another row.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Sequence as ListLike
from dataclasses import dataclass, fields
from operator import attrgetter

import torch
from torch import Tensor

from labkit.sequence import SamplingParams, Sequence

__all__ = ["LIMIT", "MIN_TEMPERATURE", "BiasTensors", "SamplingRows"]

BiasTensors = tuple[Tensor, Tensor]  # token ids int64, added logits float32
LIMIT = 1e18  # magnitude of knobs and logits; a product of two stays within float32
MIN_TEMPERATURE = 1e-5  # below it a row is greedy: the best token's share would be 1


OTHERS = ("max_tokens", "seed", "stop", "ignore_eos", "top_logprobs")
KNOBS = tuple(f.name for f in fields(SamplingParams) if f.name not in OTHERS)
all_knobs = attrgetter(*KNOBS)  # asked for each row of each step
NEUTRAL = all_knobs(SamplingParams())  # the defaults change nothing


@dataclass(frozen=True, slots=True)
class SamplingRows:
    """What the stages may know about the rows of one step."""

    sequences: tuple[Sequence, ...]  # one a row
    vocab_size: int
    device: torch.device
    watched: tuple[int, ...] = ()  # rows that an observer is shown
    biases: dict[str, BiasTensors] | None = None  # by request, kept once made
    used: frozenset[str] = frozenset()  # knobs that are set in any row

    @classmethod
    def build(
        cls,
        sequences: ListLike[Sequence],
        vocab_size: int,
        device: torch.device,
        watched: Collection[str] | None = None,
        biases: dict[str, BiasTensors] | None = None,
    ) -> SamplingRows:
        """Rows for `sequences`; an observer sees requests in `watched` (None: all).

        Whoever samples for the same requests step after step passes the same `biases`.
        """
        used, shown = set[str](), list[int]()
        for row, sequence in enumerate(sequences):
            values = all_knobs(sequence.params)
            if values != NEUTRAL:
                for name, value, off in zip(KNOBS, values, NEUTRAL, strict=True):
                    if value != off:
                        used.add(name)
            if watched is None or sequence.request in watched:
                shown.append(row)
        given = frozenset(used)
        return cls(tuple(sequences), vocab_size, device, tuple(shown), biases, given)

    def take(self, rows: ListLike[int]) -> SamplingRows:
        """Only the rows numbered in `rows`; nothing of the smaller set is watched."""
        chosen = tuple(self.sequences[row] for row in rows)
        return SamplingRows(
            chosen, self.vocab_size, self.device, (), self.biases, self.used
        )

    def column(self, knob: str, lowest: float = -LIMIT) -> Tensor:
        """One knob of every row: float32 [rows, 1], within `lowest` to `LIMIT`."""
        kept = list[float]()
        for sequence in self.sequences:
            kept.append(min(max(getattr(sequence.params, knob), lowest), LIMIT))
        column = torch.tensor(kept, dtype=torch.float32, device=self.device)
        return column.unsqueeze(1)

    def bias(self, row: int) -> BiasTensors:
        """A row's `logit_bias`: token ids, and what is added to each one's logit."""
        sequence = self.sequences[row]
        kept = {} if self.biases is None else self.biases
        if sequence.request not in kept:
            sums: dict[int, float] = {}
            for token_id, bias in sequence.params.logit_bias:
                sums[token_id] = sums.get(token_id, 0.0) + bias
            added = [min(max(bias, -LIMIT), LIMIT) for bias in sums.values()]
            kept[sequence.request] = (
                torch.tensor(list(sums), dtype=torch.int64, device=self.device),
                torch.tensor(added, dtype=torch.float32, device=self.device),
            )
        return kept[sequence.request]

    def top_k(self) -> Tensor:
        """How many candidates each row keeps at most: int64 [rows, 1]."""
        wishes = [sequence.params.top_k for sequence in self.sequences]
        kept = [[min(k or self.vocab_size, self.vocab_size)] for k in wishes]
        return torch.tensor(kept, device=self.device)

    def counts(self, *, with_prompt: bool, last: int | None = None) -> Tensor:
        """How often each token occurred: float32 [rows, vocab].

        Counts the output, after the prompt if `with_prompt`; of these the `last` ones.
        """
        table = torch.zeros(len(self.sequences), self.vocab_size)
        for row, sequence in enumerate(self.sequences):
            start = 0 if with_prompt else len(sequence.prompt_ids)
            end = sequence.num_tokens
            start = start if last is None else max(start, end - last)
            ids = torch.tensor(sequence.ids_between(start, end), dtype=torch.int64)
            table[row] = torch.bincount(ids, minlength=self.vocab_size)
        return table.to(self.device)
