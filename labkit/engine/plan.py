"""What one step will do, in plain numbers: `print(plan)` explains the step.

Made by the scheduler, carried out by the runner; it holds no tensors and is never
changed. The invariant is that a row's tokens are its sequence's next uncomputed ones,
followed by its drafts, and that its slots are its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from labkit.records import BlockCounts, ScheduledSlice

__all__ = ["Plan", "PlannedRow"]


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """One sequence's part of a step: which tokens, and where their cache lies."""

    part: ScheduledSlice
    token_ids: tuple[int, ...]  # the tokens to compute
    write_slots: tuple[int, ...]  # where their keys and values go
    blocks: tuple[int, ...]  # hold all tokens up to the last one computed
    is_sampled: bool  # False: the prompt goes on in a later step
    draft_ids: tuple[int, ...] = ()  # the last of `token_ids`: guesses to be verified
    copies: tuple[tuple[int, int], ...] = ()  # blocks (source, own) to copy first
    num_cached: int = 0  # of a new arrival: tokens that were found computed

    @property
    def request(self) -> str:
        """The request that the row belongs to."""
        return self.part.request

    @property
    def context_len(self) -> int:
        """Tokens that the row's last token sees, itself included."""
        return self.part.start + self.part.num_tokens

    @property
    def num_logits(self) -> int:
        """Its last tokens that must become logits."""
        return 1 + len(self.draft_ids) if self.is_sampled else 0

    def __str__(self) -> str:
        kind = "prefill" if self.part.is_prefill else "decode"
        span = f"{self.part.start}..{self.context_len - 1}"
        then = "sample" if self.is_sampled else "goes on"
        drafts = f"{len(self.draft_ids)} drafts " if self.draft_ids else ""
        cached = f"{self.num_cached} cached " if self.num_cached else ""
        blocks = " ".join(map(str, self.blocks))
        return (
            f"{self.request:<12} {kind:<8} {span:<12} {then:<8} "
            f"{drafts}{cached}blocks {blocks}"
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """One step's work and what it leaves waiting."""

    rows: tuple[PlannedRow, ...]
    admitted: tuple[str, ...]  # requests that leave the queue with this step
    token_budget: int
    num_waiting: int
    blocks: BlockCounts
    preempted: tuple[str, ...] = ()  # thrown back into the queue for want of blocks
    copies: tuple[tuple[int, int], ...] = ()  # those of all rows, to be made at once

    @property
    def num_tokens(self) -> int:
        """Tokens that the step computes."""
        return sum(row.part.num_tokens for row in self.rows)

    @property
    def sampled(self) -> tuple[PlannedRow, ...]:
        """The rows that get a new token, in order."""
        return tuple(row for row in self.rows if row.is_sampled)

    @property
    def unfinished(self) -> tuple[PlannedRow, ...]:
        """The rows whose prompt goes on in a later step."""
        return tuple(row for row in self.rows if not row.is_sampled)

    def __str__(self) -> str:
        head = (
            f"{self.num_tokens} of {self.token_budget} tokens, "
            f"{len(self.rows)} sequences ({len(self.admitted)} new), "
            f"{self.num_waiting} waiting, "
            f"{self.blocks.free + self.blocks.cached} of {self.blocks.total} "
            f"blocks free ({self.blocks.cached} cached)"
        )
        notes = [f"{name}: thrown out, starts again" for name in self.preempted]
        notes += [f"block {own}: a copy of {source}" for source, own in self.copies]
        return "\n".join([head, *(f"  {line}" for line in (*self.rows, *notes))])
