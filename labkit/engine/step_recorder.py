"""Puts each step on record and shows the record to whoever observes.

It only reads what the step left behind. Block events are recorded while somebody
observes and not otherwise. The invariant is that observing changes no step: an observer
that raises is logged and shown nothing more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Sequence as ListLike

from labkit.engine.plan import Plan
from labkit.engine.scheduler import Scheduler
from labkit.records import StepReport, TokenEvent

__all__ = ["Observer", "StepRecorder"]

Observer = Callable[[StepReport], None]


class StepRecorder:
    """Counts the steps of one scheduler."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.num_steps = 0
        self._scheduler = scheduler
        self._observers: dict[int, Observer] = {}
        self._num_observed = 0

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Show every report from now on to `observer`; call the result to stop."""
        self._num_observed += 1
        number = self._num_observed
        if not self._observers:
            self._scheduler.cache.events = []
        self._observers[number] = observer
        return lambda: self._forget(number)

    def record(
        self,
        plan: Plan,
        emitted: list[TokenEvent],
        stamps: ListLike[float],
        error: str | None,
    ) -> StepReport:
        """The record of the step that has just ended; `stamps` are its four moments."""
        running = tuple(s.request for s in self._scheduler.running)
        waiting = tuple(s.request for s in self._scheduler.waiting)
        cache = self._scheduler.cache
        events = tuple(cache.events or ())
        if cache.events:
            cache.events.clear()
        started_s, computed_s, sampled_s, ended_s = stamps
        report = StepReport(
            index=self.num_steps,
            scheduled=tuple(row.part for row in plan.rows),
            blocks=cache.counts(),
            num_running=len(running),
            num_waiting=len(waiting),
            emitted=tuple(emitted),
            started_s=started_s,
            computed_s=computed_s,
            sampled_s=sampled_s,
            ended_s=ended_s,
            error=error,
            running=running,
            waiting=waiting,
            preempted=plan.preempted,
            block_events=events,
            cache=cache.stats(),
        )
        self.num_steps += 1
        self._show(report)
        return report

    def _show(self, report: StepReport) -> None:
        for number, observer in list(self._observers.items()):
            try:
                observer(report)
            except Exception:
                logging.getLogger(__name__).exception("an observer failed: dropped")
                self._forget(number)

    def _forget(self, number: int) -> None:
        self._observers.pop(number, None)
        if not self._observers:
            self._scheduler.cache.events = None
