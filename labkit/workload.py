"""The records of a replay: arrivals, the lengths of steps, and what came of them.

`replay/arrivals.py` runs arrivals through the real scheduler on a virtual clock. These
are its plain inputs and outputs: they can be saved, drawn and compared without it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby, pairwise

from labkit.errors import ConfigError
from labkit.records import BlockEventKind, ScheduledSlice, StepReport

__all__ = [
    "Arrival",
    "CostPoint",
    "ReplayResult",
    "StepCosts",
    "arrivals_of",
    "mean_context",
]

FILLS = (BlockEventKind.TAKE, BlockEventKind.COPY)
FINDS = (BlockEventKind.HIT, BlockEventKind.SHARE)
Knots = list[tuple[float, float]]  # of a line made of straight pieces, rising in x


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request as numbers: when it arrived, and the lengths of prompt and answer.

    Its first `prefix_tokens` tokens are those of `prefix`: another request's id, whose
    tokens it then begins with, or the name of a text that several arrivals share.
    """

    request: str
    time_s: float
    prompt_tokens: int
    output_tokens: int  # it ends after so many
    prefix: str | None = None
    prefix_tokens: int = 0

    def __post_init__(self) -> None:
        if min(self.prompt_tokens, self.output_tokens) < 1:
            raise ConfigError(f"{self.request}: give at least one token each way")
        if not 0 <= self.prefix_tokens <= self.prompt_tokens:
            raise ConfigError(
                f"{self.request}: prefix_tokens={self.prefix_tokens} of a prompt of "
                f"{self.prompt_tokens}: use 0 to {self.prompt_tokens}"
            )
        if (self.prefix is None) != (self.prefix_tokens == 0):
            raise ConfigError(f"{self.request}: give prefix and prefix_tokens, or none")


def mean_context(scheduled: Iterable[ScheduledSlice]) -> float:
    """Tokens that each scheduled token sees, on average, itself included."""
    parts = tuple(scheduled)
    seen = sum(p.num_tokens * (2 * p.start + p.num_tokens + 1) / 2 for p in parts)
    return seen / sum(part.num_tokens for part in parts)


@dataclass(frozen=True, slots=True)
class CostPoint:
    """One measured step."""

    num_tokens: int  # computed in the step
    context: float  # tokens that each of them sees, on average
    seconds: float


@dataclass(frozen=True, slots=True)
class StepCosts:
    """Seconds a step takes by tokens in the pass and context, on one machine."""

    points: tuple[CostPoint, ...]
    model: str
    device: str
    date: str  # ISO, of the measurement

    def __post_init__(self) -> None:
        if not self.points:
            raise ConfigError("StepCosts has no points: measure_costs(engine) makes it")

    def of(self, scheduled: Iterable[ScheduledSlice]) -> float:
        """Seconds for a step that computes `scheduled`."""
        parts = tuple(scheduled)
        tokens = sum(part.num_tokens for part in parts)
        return self.seconds(tokens, mean_context(parts))

    def seconds(self, num_tokens: int, context: float) -> float:
        """The table read at one place: straight lines between the measured points."""
        ordered = sorted(self.points, key=lambda p: (p.num_tokens, p.context))
        lines: Knots = []
        for tokens, points in groupby(ordered, key=lambda p: p.num_tokens):
            knots = [(p.context, p.seconds) for p in points]
            lines.append((tokens, _read(knots, context)))
        return max(_read(lines, num_tokens), min(p.seconds for p in self.points))


def _read(knots: Knots, x: float) -> float:
    """The line through `knots` at `x`; outside them the nearest piece goes on."""
    if len(knots) == 1:
        return knots[0][1]
    piece = bisect_right(knots, x, key=lambda knot: knot[0]) - 1
    place = min(max(piece, 0), len(knots) - 2)
    (left, low), (right, high) = knots[place : place + 2]
    return low + (high - low) * (x - left) / (right - left)


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """The step reports of a replay, on its virtual clock."""

    arrivals: tuple[Arrival, ...]
    reports: tuple[StepReport, ...]
    refused: tuple[str, ...] = ()  # requests that found the queue full

    def token_times(self) -> dict[str, list[float]]:
        """When each request's tokens came, in seconds."""
        times: dict[str, list[float]] = {}
        for report in self.reports:
            for event in report.emitted:
                if event.token_id is not None:
                    times.setdefault(event.request, []).append(event.time_s)
        return times

    def ttft_s(self) -> dict[str, float]:
        """Seconds from each request's arrival to its first token."""
        times = self.token_times()
        came = {a.request: a.time_s for a in self.arrivals}
        return {name: each[0] - came[name] for name, each in times.items()}

    def gaps_s(self) -> dict[str, list[float]]:
        """Seconds between each request's tokens."""
        times = self.token_times()
        return {n: [b - a for a, b in pairwise(each)] for n, each in times.items()}


@dataclass(slots=True)
class _Seen:
    """What the step reports read so far say about one request."""

    time_s: float
    prompt_tokens: int = 0
    output_tokens: int = 0
    prefix: str | None = None  # whose blocks it found
    prefix_tokens: int = 0

    def find(self, owner: str | None) -> None:
        if not self.prompt_tokens:  # later it finds what it had itself
            self.prefix = owner

    def schedule(self, part: ScheduledSlice) -> None:
        if not self.prompt_tokens and self.prefix:
            self.prefix_tokens = part.start
        if not self.output_tokens:  # later parts compute answers, or all anew
            self.prompt_tokens = part.start + part.num_tokens

    def arrival(self, request: str) -> Arrival:
        numbers = self.prompt_tokens, max(1, self.output_tokens)
        shared = (self.prefix, self.prefix_tokens) if self.prefix_tokens else ()
        return Arrival(request, self.time_s, *numbers, *shared)


def arrivals_of(reports: Iterable[StepReport]) -> tuple[Arrival, ...]:
    """The arrivals behind a run, as far as its reports tell.

    A request counts from the start of the first step that knew it. What it found in
    the cache is its prefix, if block events were recorded. One that was never computed
    is left out; one that was cut off ends where it was cut.
    """
    seen: dict[str, _Seen] = {}
    takers: dict[int, str | None] = {}  # block: for whom it was last filled
    for report in reports:
        parts = {part.request: part for part in report.scheduled}
        for name in (*report.running, *parts, *report.waiting):
            seen.setdefault(name, _Seen(report.started_s))
        for event in report.block_events:
            if event.kind in FILLS:
                takers[event.block] = event.request
            elif event.kind in FINDS and event.request:
                seen[event.request].find(takers.get(event.block))
        for name, part in parts.items():
            seen[name].schedule(part)
        for name in (e.request for e in report.emitted if e.token_id is not None):
            seen[name].output_tokens += 1
    return tuple(x.arrival(name) for name, x in seen.items() if x.prompt_tokens)
