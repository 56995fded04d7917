"""What sampling did to a distribution, and answers that branch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Branch", "BranchToken", "OrderView", "StageView"]


@dataclass(frozen=True, slots=True)
class StageView:
    """What one sampling stage did to one sequence's distribution."""

    name: str
    kept: int  # candidates still alive
    top: tuple[tuple[int, float], ...]  # (token id, probability), best first
    entropy: float  # nats
    moved: float  # total variation distance from the stage before, 0 to 1


@dataclass(frozen=True, slots=True)
class OrderView:
    """What one engine's order of stages makes of a distribution."""

    name: str
    stages: tuple[str, ...]  # in order
    kept: int  # candidates still alive
    top: tuple[tuple[int, float], ...]  # (token id, probability), best first
    entropy: float  # nats
    distances: tuple[float, ...]  # total variation to each of the orders compared


@dataclass(frozen=True, slots=True)
class BranchToken:
    """One token of a branch and what else could have stood there."""

    token_id: int
    logprob: float  # natural log
    top: tuple[tuple[int, float], ...]  # (token id, logprob), best first


@dataclass(frozen=True, slots=True)
class Branch:
    """A text that leaves its parent at one place of the output and goes its own way."""

    name: str
    parent: str | None  # None: it starts at the prompt
    start: int  # place in the output of its first own token
    tokens: tuple[BranchToken, ...]  # its own ones
    blocks: tuple[int, ...]  # hold its whole text, in order
    num_shared: int  # of the first blocks, also its parent's
    num_computed: int  # tokens that the model had to read for it
