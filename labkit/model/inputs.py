"""What one forward pass is given: new tokens, where they go and what they may see.

Several sequences travel in one flat run of tokens, without padding between them. A
place in the key/value store is a slot number; who owns it is the cache's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

__all__ = ["ForwardInputs"]


@dataclass(frozen=True, slots=True)
class ForwardInputs:
    """One step's work: `query_lens[i]` new tokens of sequence i, one after another.

    The tokens of one sequence are consecutive and in order; they are its newest, so
    the last one's position is `context_lens[i] - 1`.
    """

    token_ids: Tensor  # int64 [tokens]
    positions: Tensor  # int64 [tokens], each one's place in its sequence, from 0
    write_slots: Tensor  # int64 [tokens], slot where its key and value go
    read_slots: Tensor  # int64 [sequences, longest context], in order; the rest unseen
    query_lens: tuple[int, ...]  # new tokens of each sequence, at least 1
    context_lens: tuple[int, ...]  # tokens its last new token sees, itself included
    num_logits: tuple[int, ...]  # of each sequence: how many last tokens to score

    @property
    def num_tokens(self) -> int:
        """New tokens of all sequences together."""
        return sum(self.query_lens)

    @property
    def scores_all(self) -> bool:
        """True where every new token becomes logits, as in a decode step."""
        return self.num_logits == self.query_lens

    def scored(self) -> ForwardInputs:
        """The same step with its scored tokens only; their keys are in the store."""
        kept = [row for row, count in enumerate(self.num_logits) if count]
        counts = tuple(self.num_logits[row] for row in kept)
        chosen, rows = self.logit_indices, torch.tensor(kept, dtype=torch.int64)
        return ForwardInputs(
            token_ids=self.token_ids[chosen],
            positions=self.positions[chosen],
            write_slots=self.write_slots[chosen],
            read_slots=self.read_slots[rows.to(chosen.device)],
            query_lens=counts,
            context_lens=tuple(self.context_lens[row] for row in kept),
            num_logits=counts,
        )

    @property
    def logit_indices(self) -> Tensor:
        """Where the tokens that become logits stand, sequence by sequence: int64."""
        runs = zip(accumulate(self.query_lens), self.num_logits, strict=True)
        places = [place for end, num in runs for place in range(end - num, end)]
        return torch.tensor(places, dtype=torch.int64, device=self.token_ids.device)

    def check(self) -> None:
        """Assert that the shapes agree with each other; costs no tensor work."""
        tokens, sequences = self.num_tokens, len(self.query_lens)
        for name in ("token_ids", "positions", "write_slots"):
            shape = tuple(getattr(self, name).shape)
            assert shape == (tokens,), f"{name} is {shape}, query_lens add to {tokens}"
        wanted = (sequences, max(self.context_lens))
        shape = tuple(self.read_slots.shape)
        assert shape == wanted, f"read_slots is {shape}, contexts need {wanted}"
        lengths = (self.num_logits, self.query_lens, self.context_lens)
        assert {len(each) for each in lengths} == {sequences}, "one length a sequence"
        for scored, new, seen in zip(*lengths, strict=True):
            assert 1 <= new <= seen, f"{new} new tokens must see themselves, not {seen}"
            assert 0 <= scored <= new, f"{scored} of {new} new tokens cannot be scored"
