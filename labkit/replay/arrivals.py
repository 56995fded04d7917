"""Runs arrivals through the real scheduler without a model, on a virtual clock.

Each step takes the time that such a step was measured to take, and each request gets as
many tokens as its arrival says. No token is computed, so a day of traffic replays in
seconds. Equal arrivals, configuration and costs give equal reports.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from labkit.clock import FakeClock
from labkit.config import EngineConfig
from labkit.engine.plan import PlannedRow
from labkit.engine.policy import Policy
from labkit.engine.scheduler import Scheduler
from labkit.engine.stepper import StepRecorder
from labkit.errors import ConfigError, NeverFits
from labkit.records import StepReport, TokenEvent
from labkit.sequence import FinishReason, SamplingParams, Sequence
from labkit.workload import Arrival, ReplayResult, StepCosts

__all__ = ["replay"]

LONGEST_TEXT = 1 << 17  # token ids reserved for each text, so that no two share one


def replay(
    arrivals: Iterable[Arrival],
    config: EngineConfig,
    costs: StepCosts,
    policy: Policy | None = None,
) -> ReplayResult:
    """Run `arrivals` through a scheduler set up by `config`, to the end of all.

    `policy` replaces the one that `config` names.

    Without a `max_context` a sequence may fill the pool. Refuses with `NeverFits` what
    cannot fit, and with `ConfigError` a prefix that names a later request.
    """
    queue = tuple(sorted(arrivals, key=lambda arrival: arrival.time_s))
    capacity = config.num_blocks * config.block_size
    room = min(config.max_context or capacity, capacity)
    if queue:
        _refuse_misfit(max(queue, key=_num_tokens), config, room)
    scheduler = Scheduler(replace(config, max_context=room, max_drafts=0), policy)
    run = _Run(queue, scheduler, costs)
    for arrival in queue:
        run.until(arrival.time_s)
        run.add(arrival)
    run.until(math.inf)
    return ReplayResult(queue, tuple(run.reports), tuple(run.refused))


class _Run:
    """One replay under way."""

    def __init__(
        self, arrivals: tuple[Arrival, ...], scheduler: Scheduler, costs: StepCosts
    ) -> None:
        self.reports: list[StepReport] = []
        self.refused: list[str] = []
        self._scheduler = scheduler
        self._recorder = StepRecorder(self._scheduler)
        self._recorder.observe(self.reports.append)
        self._costs = costs
        self._clock = FakeClock()
        self._texts = _Texts(arrivals)

    def until(self, time_s: float) -> None:
        """Run steps until `time_s`; where there is no work, move the clock there."""
        while self._scheduler.sequences() and self._clock.now() < time_s:
            self._step()
        if math.isfinite(time_s):
            self._clock.advance(max(0.0, time_s - self._clock.now()))

    def add(self, arrival: Arrival) -> None:
        """Queue an arrival; a full queue refuses it."""
        params = SamplingParams(max_tokens=arrival.output_tokens)
        prompt = self._texts.ids(arrival.request, arrival.prompt_tokens)
        sequence = Sequence(arrival.request, tuple(prompt), params, arrival.time_s)
        if self._scheduler.has_room():
            self._scheduler.add(sequence)
        else:
            self.refused.append(arrival.request)

    def _step(self) -> None:
        plan = self._scheduler.plan()
        assert plan.rows, "sequences wait and nothing is planned"
        started_s = self._clock.now()
        self._clock.advance(self._costs.of(row.part for row in plan.rows))
        for row in plan.unfinished:
            self._scheduler.advance(row)
        emitted = [self._emit(row) for row in plan.sampled]
        now = self._clock.now()
        stamps = (started_s, now, now, now)
        self._recorder.record(plan, emitted, stamps, None)

    def _emit(self, row: PlannedRow) -> TokenEvent:
        """Give the row its next scripted token."""
        token_id = self._texts.own_id(row.request, row.context_len)
        sequence = self._scheduler.advance(row, token_id)
        is_last = len(sequence.output_ids) == sequence.params.max_tokens
        finish = FinishReason.LENGTH if is_last else None
        if finish:
            self._scheduler.finish(sequence, finish)
        return TokenEvent(
            request=row.request,
            step=len(self.reports),
            index=len(sequence.output_ids) - 1,
            token_id=token_id,
            text="",
            time_s=self._clock.now(),
            finish=finish,
        )


def _num_tokens(arrival: Arrival) -> int:
    return arrival.prompt_tokens + arrival.output_tokens


def _refuse_misfit(arrival: Arrival, config: EngineConfig, room: int) -> None:
    """Refuse the largest arrival where it can never fit: all others need less."""
    tokens = _num_tokens(arrival)
    if tokens <= room:
        return
    size, num_blocks = config.block_size, config.num_blocks
    needed = -(-tokens // size)
    if needed > num_blocks:
        raise NeverFits(
            f"{arrival.request} needs {tokens:,} tokens, and {num_blocks:,} blocks "
            f"hold {num_blocks * size:,}: use at least {needed:,} blocks"
        )
    raise NeverFits(
        f"{arrival.request} needs {tokens:,} tokens, and max_context={room}: use at "
        f"least max_context={tokens}"
    )


class _Texts:
    """Made-up token ids: alike exactly where arrivals share a prefix."""

    def __init__(self, arrivals: tuple[Arrival, ...]) -> None:
        self._firsts: dict[str, int] = {}
        self._arrivals: dict[str, Arrival] = {}
        later = {arrival.request for arrival in arrivals}
        for arrival in arrivals:
            if arrival.prefix in later:
                raise ConfigError(
                    f"{arrival.request}: its prefix {arrival.prefix!r} comes no earlier"
                )
            later.discard(arrival.request)
            self._arrivals[arrival.request] = arrival

    def own_id(self, name: str, position: int) -> int:
        """The id at `position` of the text `name`, past all that it shares."""
        first = self._firsts.setdefault(name, len(self._firsts) * LONGEST_TEXT)
        return first + position

    def ids(self, name: str, num_tokens: int) -> list[int]:
        """The first `num_tokens` ids of the text `name`."""
        arrival = self._arrivals.get(name)
        head: list[int] = []
        if arrival and arrival.prefix:
            head = self.ids(arrival.prefix, min(arrival.prefix_tokens, num_tokens))
        places = range(len(head), num_tokens)
        return [*head, *(self.own_id(name, place) for place in places)]
