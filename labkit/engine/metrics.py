"""How fast the engine goes, so that a refused request hears when to come back.

It is given durations and reads no clock.
"""

from __future__ import annotations

from labkit.engine.scheduler import Scheduler, worst_case_tokens
from labkit.errors import QueueFull

__all__ = ["Pace"]

SHARE = 0.1  # weight of the newest step in the mean
SHORTEST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0


class Pace:
    """A moving mean of step durations."""

    def __init__(self) -> None:
        self.mean_step_s: float | None = None  # None before the first step

    def add(self, step_s: float) -> None:
        """Count one step that took `step_s` seconds."""
        before = step_s if self.mean_step_s is None else self.mean_step_s
        self.mean_step_s = before + SHARE * (step_s - before)

    def refusal(self, scheduler: Scheduler) -> QueueFull:
        """The error for a full queue: when the first running sequence will be done.

        An estimate, held within 1 and 60 s: each is taken to use up its max_tokens.
        """
        running, limit = scheduler.running, scheduler.max_context
        steps = [worst_case_tokens(s, limit) - s.num_tokens for s in running]
        wait_s = min(steps, default=0) * (self.mean_step_s or 0.0)
        wait_s = min(max(wait_s, SHORTEST_WAIT_S), LONGEST_WAIT_S)
        return QueueFull(
            f"{len(scheduler.waiting)} requests wait already, {len(running)} run: "
            f"try again in {wait_s:.0f} s",
            retry_after_s=wait_s,
        )
