"""A run of the scheduler as numbers to draw: what each request did at each moment.

Made of step reports and the moments at which requests arrived, from a live engine or a
replay alike; it decides nothing. All times are milliseconds since the first arrival.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from labkit.config import EngineConfig
from labkit.errors import ConfigError
from labkit.figures.drawings import Gantt, GanttBar, GanttLane, Kind
from labkit.figures.pace import longest_gaps, percentile
from labkit.records import StepReport

__all__ = [
    "ScheduleLane",
    "ScheduleRun",
    "ScheduleStep",
    "gantt",
    "schedule_run",
]

Slice = tuple[int, int, int, bool]  # lane, first position, tokens, is it prefill


@dataclass(frozen=True, slots=True)
class ScheduleStep:
    """One step: its plan, and the queues and blocks that it left behind."""

    start_ms: float
    end_ms: float
    slices: tuple[Slice, ...]
    running: tuple[int, ...]  # lanes
    waiting: tuple[int, ...]
    preempted: tuple[int, ...]
    blocks: tuple[int, int, int, int]  # free, held, cached, total


@dataclass(frozen=True, slots=True)
class ScheduleLane:
    """One request: when it came, what it did, when its tokens came out."""

    name: str
    came_ms: float
    bars: tuple[GanttBar, ...]
    tokens_ms: tuple[float, ...]

    @property
    def ttft_ms(self) -> float | None:
        """From arrival to first token; None where none came."""
        return self.tokens_ms[0] - self.came_ms if self.tokens_ms else None

    @property
    def gaps_ms(self) -> tuple[float, ...]:
        """Time between tokens."""
        return tuple(b - a for a, b in pairwise(self.tokens_ms))


@dataclass(frozen=True, slots=True)
class ScheduleRun:
    """All requests under one set-up."""

    setup: tuple[str, ...]  # its knobs in words, the same knobs in every run
    budget: int  # tokens a step
    lanes: tuple[ScheduleLane, ...]
    steps: tuple[ScheduleStep, ...]

    @property
    def label(self) -> str:
        """The whole set-up in words."""
        return ", ".join(self.setup)

    @property
    def longest_gaps(self) -> tuple[tuple[float, float] | None, ...]:
        """Start and end of the worst gap by lane; None for a lane without it."""
        return longest_gaps([lane.tokens_ms for lane in self.lanes])

    @property
    def ttfts_ms(self) -> tuple[float, ...]:
        """Time to first token of each request that got one."""
        return tuple(x.ttft_ms for x in self.lanes if x.ttft_ms is not None)

    @property
    def gaps_ms(self) -> tuple[float, ...]:
        """Every gap between two tokens of a request."""
        return tuple(gap for lane in self.lanes for gap in lane.gaps_ms)

    @property
    def worst_gap_ms(self) -> float:
        """The longest gap between two tokens of any request."""
        return max(self.gaps_ms, default=0.0)

    @property
    def end_ms(self) -> float:
        """When the last step ended."""
        return max((step.end_ms for step in self.steps), default=0.0)

    @property
    def num_preempted(self) -> int:
        """How often a request was preempted."""
        return sum(len(step.preempted) for step in self.steps)

    @property
    def filled(self) -> float:
        """Share of the token budget that the steps used, 0 to 1."""
        used = sum(part[2] for step in self.steps for part in step.slices)
        return used / (self.budget * len(self.steps) or 1)

    def facts(self) -> tuple[tuple[str, str], ...]:
        """Names and values with their units, the same for every run."""
        return (
            ("first token after, median", _quantile(self.ttfts_ms, 50)),
            ("first token after, worst", _quantile(self.ttfts_ms, 100)),
            ("gap, median", _quantile(self.gaps_ms, 50)),
            ("gap, 99th percentile", _quantile(self.gaps_ms, 99)),
            ("gap, worst", _quantile(self.gaps_ms, 100)),
            ("all done after", f"{self.end_ms:,.0f} ms"),
            ("steps", f"{len(self.steps):,}"),
            ("token budget used", f"{self.filled:.0%}"),
            ("preemptions", f"{self.num_preempted:,}"),
        )


def schedule_run(
    reports: Sequence[StepReport], arrivals: Mapping[str, float], config: EngineConfig
) -> ScheduleRun:
    """What `reports` say of the requests in `arrivals`, which are on the same clock.

    `config` is what the steps were planned under.
    """
    known = {
        e for r in reports for e in (*r.running, *(s.request for s in r.scheduled))
    }
    if unknown := sorted(known - arrivals.keys()):
        raise ConfigError(f"no arrival is known for request {unknown[0]!r}")
    names = sorted(arrivals, key=lambda name: (arrivals[name], name))
    place = {name: i for i, name in enumerate(names)}
    zero_s = min(arrivals.values(), default=0.0)
    steps = tuple(_step(report, place, zero_s) for report in reports)
    tokens: dict[str, list[float]] = {name: [] for name in names}
    for event in (e for report in reports for e in report.emitted):
        if event.token_id is not None:
            tokens[event.request].append(_ms(event.time_s, zero_s))
    lanes = (
        ScheduleLane(
            name,
            came := _ms(arrivals[name], zero_s),
            _bars(place[name], came, steps),
            tuple(tokens[name]),
        )
        for name in names
    )
    return ScheduleRun(_setup(config), config.max_step_tokens, tuple(lanes), steps)


def _setup(config: EngineConfig) -> tuple[str, ...]:
    """The knobs that a reader turns, in words."""
    return (
        config.policy,
        f"{config.max_step_tokens:,} tokens a step",
        f"{config.max_running:,} at once",
        f"{config.num_blocks:,} blocks",
    )


def _step(report: StepReport, place: Mapping[str, int], zero_s: float) -> ScheduleStep:
    def lanes(names: Iterable[str]) -> tuple[int, ...]:
        return tuple(place[name] for name in names if name in place)

    parts = report.scheduled
    blocks = report.blocks
    return ScheduleStep(
        start_ms=_ms(report.started_s, zero_s),
        end_ms=_ms(report.ended_s, zero_s),
        slices=tuple(
            (place[p.request], p.start, p.num_tokens, p.is_prefill) for p in parts
        ),
        running=lanes(report.running),
        waiting=lanes(report.waiting),
        preempted=lanes(report.preempted),
        blocks=(blocks.free, blocks.held, blocks.cached, blocks.total),
    )


def _bars(
    lane: int, came_ms: float, steps: Sequence[ScheduleStep]
) -> tuple[GanttBar, ...]:
    """The lane's life from its arrival to its last step."""
    bars: list[GanttBar] = []
    last = max((i for i, s in enumerate(steps) if _part(s, lane)), default=-1)
    for step in steps[: last + 1]:
        if step.end_ms <= came_ms:
            continue
        start = max(step.start_ms, came_ms)
        if not bars and start > came_ms:  # no step ran when the request came
            _extend(bars, "wait", came_ms, start)
        _extend(bars, _kind(step, lane), start, step.end_ms)
    return tuple(bars)


def _kind(step: ScheduleStep, lane: int) -> Kind:
    part = _part(step, lane)
    if part:
        return "prefill" if part[3] else "decode"
    return "stall" if lane in step.running else "wait"


def _part(step: ScheduleStep, lane: int) -> Slice | None:
    return next((part for part in step.slices if part[0] == lane), None)


def _extend(bars: list[GanttBar], kind: Kind, start: float, end: float) -> None:
    """One more bar, or a longer last one; each chunk of a prompt stays its own."""
    if bars and bars[-1].kind == kind != "prefill":
        bars[-1] = GanttBar(kind, bars[-1].start_ms, end)
    else:
        bars.append(GanttBar(kind, start, end))


def gantt(runs: Sequence[ScheduleRun]) -> Gantt:
    """One run, or a run before a change and the run after it."""
    first = runs[0]
    facts = zip(*(run.facts() for run in runs), strict=True)
    lanes = tuple(
        GanttLane(
            lane.name,
            tuple(run.lanes[i].bars for run in runs),
            tuple(run.lanes[i].tokens_ms for run in runs),
        )
        for i, lane in enumerate(first.lanes)
    )
    told = "; ".join(_words(run) for run in runs)
    return Gantt(
        title=_title(runs),
        alt=f"{len(first.lanes)} requests. {told}.",
        runs=("before", "after") if len(runs) > 1 else ("this run",),
        lanes=lanes,
        facts=tuple((row[0][0], *(value for _, value in row)) for row in facts),
        total_ms=max(run.end_ms for run in runs),
    )


def _title(runs: Sequence[ScheduleRun]) -> str:
    """The worst gaps; of two runs only those knobs in which they differ."""
    first, last = runs[0], runs[-1]
    worst = f"The worst gap is {first.worst_gap_ms:,.0f} ms"
    if len(runs) == 1:
        return f"{worst} with {first.label}"
    changed = [
        k
        for k, pair in enumerate(zip(first.setup, last.setup, strict=True))
        if pair[0] != pair[1]
    ]
    if not changed:
        return f"{worst}, and again {last.worst_gap_ms:,.0f} ms with the same set-up"
    was, now = (", ".join(run.setup[k] for k in changed) for run in (first, last))
    return f"{worst} with {was}; {last.worst_gap_ms:,.0f} ms with {now}"


def _words(run: ScheduleRun) -> str:
    chosen = ", ".join(f"{name} {value}" for name, value in run.facts())
    return f"{run.label}: {chosen}"


def _quantile(values: Sequence[float], percent: float) -> str:
    return f"{percentile(values, percent):,.0f} ms" if values else "\u2013"


def _ms(time_s: float, zero_s: float) -> float:
    return round((time_s - zero_s) * 1000, 3)
