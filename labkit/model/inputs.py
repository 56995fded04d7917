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
    read_slots: Tensor  # int64 [sequences, longest context], in order, padded with 0
    query_lens: tuple[int, ...]  # new tokens of each sequence, at least 1
    context_lens: tuple[int, ...]  # tokens its last new token sees, itself included
    num_logits: tuple[int, ...] | None = None  # last tokens to score; None: 1 each

    @property
    def num_tokens(self) -> int:
        """New tokens of all sequences together."""
        return sum(self.query_lens)

    @property
    def scores_all(self) -> bool:
        """True where every new token becomes logits, as in a decode step."""
        counts = self.num_logits or (1,) * len(self.query_lens)
        return counts == self.query_lens

    def scored(self) -> ForwardInputs:
        """The same step with its scored tokens only; their keys are in the store."""
        counts = self.num_logits or (1,) * len(self.query_lens)
        kept = [row for row, count in enumerate(counts) if count]
        chosen, rows = self.logit_indices, torch.tensor(kept, dtype=torch.int64)
        return ForwardInputs(
            token_ids=self.token_ids[chosen],
            positions=self.positions[chosen],
            write_slots=self.write_slots[chosen],
            read_slots=self.read_slots[rows.to(chosen.device)],
            query_lens=tuple(counts[row] for row in kept),
            context_lens=tuple(self.context_lens[row] for row in kept),
        )

    @property
    def logit_indices(self) -> Tensor:
        """Where the tokens that become logits stand, sequence by sequence: int64."""
        counts = self.num_logits or (1,) * len(self.query_lens)
        ends = accumulate(self.query_lens)
        places = [p for e, n in zip(ends, counts, strict=True) for p in range(e - n, e)]
        return torch.tensor(places, dtype=torch.int64, device=self.token_ids.device)

    def check(self) -> None:
        """Assert that the shapes agree with each other; costs no tensor work."""
        tokens, sequences = self.num_tokens, len(self.query_lens)
        for name in ("token_ids", "positions", "write_slots"):
            shape = tuple(getattr(self, name).shape)
            assert shape == (tokens,), f"{name} is {shape}, query_lens add to {tokens}"
        assert sequences == len(self.context_lens), "one context length a sequence"
        wanted = (sequences, max(self.context_lens))
        shape = tuple(self.read_slots.shape)
        assert shape == wanted, f"read_slots is {shape}, contexts need {wanted}"
        pairs = zip(self.query_lens, self.context_lens, strict=True)
        assert all(1 <= new <= seen for new, seen in pairs), "new tokens see themselves"
        if self.num_logits is not None:
            pairs = zip(self.num_logits, self.query_lens, strict=True)
            assert all(0 <= n <= new for n, new in pairs), "only new tokens are scored"
