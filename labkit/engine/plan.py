"""What one step will do, in plain numbers: `print(plan)` explains the step.

Made by the scheduler, carried out by the runner; it holds no tensors and is never
changed. The invariant is that a row's tokens are its sequence's next uncomputed ones.
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

    @property
    def request(self) -> str:
        """The request that the row belongs to."""
        return self.part.request

    @property
    def context_len(self) -> int:
        """Tokens that the row's last token sees, itself included."""
        return self.part.start + self.part.num_tokens

    def __str__(self) -> str:
        kind = "prefill" if self.part.is_prefill else "decode"
        span = f"{self.part.start}..{self.context_len - 1}"
        then = "sample" if self.is_sampled else "goes on"
        blocks = " ".join(map(str, self.blocks))
        return f"{self.request:<12} {kind:<8} {span:<12} {then:<8} blocks {blocks}"


@dataclass(frozen=True, slots=True)
class Plan:
    """One step's work and what it leaves waiting."""

    rows: tuple[PlannedRow, ...]
    admitted: tuple[str, ...]  # requests that leave the queue with this step
    token_budget: int
    num_waiting: int
    blocks: BlockCounts

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
            f"{self.blocks.free} of {self.blocks.total} blocks free"
        )
        return "\n".join([head, *(f"  {row}" for row in self.rows)])
