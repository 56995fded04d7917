"""Token buckets that are exact, and taken from together: from all of them or from none.

A bucket's level is a whole number of grains. There are as many grains in a token as
nanoseconds in a minute, so that a bucket grows by `per_minute` grains in a nanosecond
and no part of a token is ever lost. A correction may take a level below nothing; then
nothing can be taken until it has grown again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["GRAINS", "Budget", "Decision", "MemoryStore", "Room", "Store"]

GRAINS = 60_000_000_000  # in one token, and nanoseconds in a minute
PRUNE_ABOVE = 4096  # buckets; those that are full again are forgotten then


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent of one kind: so many a minute, so many at once."""

    name: str
    per_minute: int
    burst: int

    def __post_init__(self) -> None:
        """A bucket that never holds or gets anything would refuse for ever."""
        assert self.per_minute > 0, f"{self.name}: {self.per_minute} a minute"
        assert self.burst > 0, f"{self.name}: {self.burst} at once"


@dataclass(frozen=True, slots=True)
class Room:
    """What a budget has left, and in how many nanoseconds it is full again."""

    budget: Budget
    remaining: int
    full_in_ns: int


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the costs were taken; if not, when they could be and what kept them."""

    rooms: tuple[Room, ...]
    wait_ns: int = 0
    binding: str | None = None  # the budget that has to be waited for longest

    @property
    def is_granted(self) -> bool:
        """True where all of it was taken, False where nothing was."""
        return self.binding is None


class Store(Protocol):
    """Where levels are kept; each call is one atomic step."""

    def take(
        self,
        owner: str,
        budgets: Sequence[Budget],
        costs: Mapping[str, int],
        now_ns: int,
    ) -> Decision:
        """Take every cost from its budget, or none of them."""
        ...

    def correct(
        self,
        owner: str,
        budgets: Sequence[Budget],
        more: Mapping[str, int],
        now_ns: int,
    ) -> None:
        """Take `more`, or give back where it is negative, whatever the level is."""
        ...


class MemoryStore:
    """Levels of one process. What is not there is full."""

    def __init__(self) -> None:
        self._levels: dict[tuple[str, str], tuple[int, int, Budget]] = {}

    def take(
        self,
        owner: str,
        budgets: Sequence[Budget],
        costs: Mapping[str, int],
        now_ns: int,
    ) -> Decision:
        """Take every cost from its budget, or none of them."""
        levels = [self._level(owner, budget, now_ns) for budget in budgets]
        waits = {}
        for budget, level in zip(budgets, levels, strict=True):
            lacking = costs.get(budget.name, 0) * GRAINS - level
            if lacking > 0:
                waits[budget.name] = -(-lacking // budget.per_minute)
        if not waits:
            for place, budget in enumerate(budgets):
                levels[place] -= costs.get(budget.name, 0) * GRAINS
                self._levels[owner, budget.name] = (levels[place], now_ns, budget)
            self._prune(now_ns)
        rooms = tuple(map(_room, budgets, levels))
        binding = max(waits, key=lambda name: waits[name], default=None)
        return Decision(rooms, max(waits.values(), default=0), binding)

    def correct(
        self,
        owner: str,
        budgets: Sequence[Budget],
        more: Mapping[str, int],
        now_ns: int,
    ) -> None:
        """Take `more`, or give back where it is negative, whatever the level is."""
        for budget in budgets:
            if by := more.get(budget.name, 0):
                level = self._level(owner, budget, now_ns) - by * GRAINS
                level = min(level, budget.burst * GRAINS)
                self._levels[owner, budget.name] = (level, now_ns, budget)

    def __len__(self) -> int:
        return len(self._levels)

    def _level(self, owner: str, budget: Budget, now_ns: int) -> int:
        full = budget.burst * GRAINS
        kept = self._levels.get((owner, budget.name))
        if kept is None:
            return full
        level, at_ns, _ = kept
        return min(full, level + max(0, now_ns - at_ns) * budget.per_minute)

    def _prune(self, now_ns: int) -> None:
        if len(self._levels) <= PRUNE_ABOVE:
            return
        for (owner, name), (_, _, budget) in list(self._levels.items()):
            if self._level(owner, budget, now_ns) == budget.burst * GRAINS:
                del self._levels[owner, name]


def _room(budget: Budget, level: int) -> Room:
    lacking = budget.burst * GRAINS - level
    return Room(budget, max(0, level // GRAINS), -(-lacking // budget.per_minute))
