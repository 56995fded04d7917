"""Carries out one step: plan, run, sample, settle, and put it on record.

It joins the engine's parts and leaves all waiting and locking to the engine. The
invariant is that whatever goes wrong in a step ends the requests of that step, their
blocks are free, and every event is reported once, at the latest by the next step. An
observer changes no step: one that raises is logged and shown nothing more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from collections.abc import Sequence as ListLike
from dataclasses import dataclass, field

from labkit.clock import Clock
from labkit.engine.plan import Plan, PlannedRow
from labkit.engine.request_registry import RequestRegistry
from labkit.engine.runner import Runner
from labkit.engine.sampler import Sampler, Scored
from labkit.engine.scheduler import Scheduler
from labkit.engine.speculative import Speculator
from labkit.errors import EngineDead
from labkit.records import StepReport, TokenEvent
from labkit.sequence import FinishReason

__all__ = ["MAX_FAILED_STEPS", "Observer", "StepRecorder", "Stepper"]

MAX_FAILED_STEPS = 3  # in a row, after which the engine is given up
Observer = Callable[[StepReport], None]


@dataclass(slots=True)
class Stepper:
    """The parts of one engine, and how well its last steps went."""

    clock: Clock
    scheduler: Scheduler
    registry: RequestRegistry
    runner: Runner
    sampler: Sampler
    speculator: Speculator
    recorder: StepRecorder
    num_failed_steps: int = field(default=0, init=False)  # in a row, up to now
    last_error: str = field(default="", init=False)

    @property
    def is_dead(self) -> bool:
        """True once too many steps in a row have failed."""
        return self.num_failed_steps >= MAX_FAILED_STEPS

    def require_life(self) -> None:
        """Raise `EngineDead` where no request can be served any more."""
        if self.is_dead:
            raise EngineDead(
                f"the model failed on {self.num_failed_steps} steps in a row, the last "
                f"time with {self.last_error}: load the model and make a new engine"
            )

    def step(self) -> StepReport:
        """One step, with its failures in the report; only an interrupt is raised."""
        stamps, error = [self.clock.now()], None
        emitted, self.registry.pending_events = self.registry.pending_events, []
        try:
            plan = self.scheduler.plan()
        except BaseException:  # Ctrl-C, or a fault of ours: no telling what was done
            self.registry.pending_events = emitted + self._end(self.registry.open)
            raise
        try:
            if plan.rows:
                error = self._act(plan, emitted, stamps)
                self.num_failed_steps = 0
        except Exception as failure:
            number = self.recorder.num_steps
            logging.getLogger(__name__).exception("step %d failed", number)
            error = f"{type(failure).__name__}: {failure}"
            emitted += self._fail(plan, error)
        except BaseException:  # Ctrl-C: a part of the step may be done, another not
            self.registry.pending_events = emitted + self._end(
                row.request for row in plan.rows
            )
            raise
        stamps += [self.clock.now()] * (4 - len(stamps))
        if plan.rows:
            self.registry.note_duration(stamps[-1] - stamps[0])
        return self.recorder.record(plan, emitted, stamps, error)

    def _act(
        self, plan: Plan, emitted: list[TokenEvent], stamps: list[float]
    ) -> str | None:
        """Carry out `plan`: copy, run, sample, settle; stamp the moments in between.

        Gives what ended single requests, if anything did.
        """
        if plan.copies:
            self.runner.copy(plan)
        if self.speculator.max_drafts:
            plan = self.speculator.fill(plan)
        logits = self.runner.run(plan)  # [scored tokens, vocab]
        stamps.append(self.clock.now())
        sampled = [row for row in plan.rows if row.is_sampled]
        chosen = self.sampler.sample(sampled, logits)
        stamps.append(self.clock.now())
        for row in plan.rows:
            if not row.is_sampled:
                self.scheduler.advance(row)
            elif (name := row.part.request) in self.sampler.failures:
                emitted.append(self.end_early(name, FinishReason.ERROR))
            else:
                self._settle(row, chosen[name], stamps[-1], emitted)
        return "; ".join(dict.fromkeys(self.sampler.failures.values())) or None

    def _settle(
        self,
        row: PlannedRow,
        chosen: list[Scored],
        time_s: float,
        emitted: list[TokenEvent],
    ) -> None:
        """Give a row its new tokens, up to the one that ends it, and emit them."""
        processor, token_ids = self.registry.open[row.part.request], list[int]()
        step = self.recorder.num_steps
        finish = None
        for token_id, logprob, top in chosen:
            event = processor.emit(token_id, step, time_s, logprob, top)
            emitted.append(event)
            token_ids.append(token_id)
            finish = event.finish
            if finish is not None:
                break
        sequence = self.scheduler.advance(row, *token_ids)
        if finish is not None:
            self.registry.close(sequence, finish)
            self.sampler.forget(row.part.request)

    def _fail(self, plan: Plan, error: str) -> list[TokenEvent]:
        """Count a failed step, and end its requests, or all if it was the last one."""
        self.num_failed_steps += 1
        self.last_error = error
        rows = (row.request for row in plan.rows)
        return self._end(self.registry.open if self.is_dead else rows)

    def _end(self, requests: Iterable[str]) -> list[TokenEvent]:
        still_open = [name for name in requests if name in self.registry.open]
        return [self.end_early(name, FinishReason.ERROR) for name in still_open]

    def end_early(self, request: str, reason: FinishReason) -> TokenEvent:
        """End an open request before its time; its last event."""
        self.sampler.forget(request)
        return self.registry.end_early(request, reason, self.recorder.num_steps)


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
        running, waiting = self._scheduler.names()
        cache = self._scheduler.cache
        events = tuple(cache.events or ())
        if cache.events:
            cache.events.clear()
        started_s, computed_s, sampled_s, ended_s = stamps
        report = StepReport(
            index=self.num_steps,
            scheduled=tuple([row.part for row in plan.rows]),
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
        if self._observers:
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
