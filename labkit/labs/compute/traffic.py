"""Sets of requests that chapters send several times: a stall, a copy, a free answer.

The same traffic runs on a live engine and, by its numbers alone, in a replay. It only
adds requests and steps; what came out is read from the steps' reports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from labkit.config import EngineConfig
from labkit.engine import Engine
from labkit.engine.policy import Policy
from labkit.errors import ConfigError
from labkit.figures.schedule import ScheduleRun, schedule_run
from labkit.labs.recordings import Measured
from labkit.records import StepReport
from labkit.replay.arrivals import replay
from labkit.sequence import SamplingParams
from labkit.workload import Arrival, CostPoint, StepCosts

__all__ = [
    "LONG",
    "SHORT_CHUNK",
    "TASKS",
    "WHOLE_CHUNK",
    "Replayer",
    "TaskRun",
    "run_stall",
    "run_task",
    "stall_arrivals",
    "step_costs",
    "stream_gaps_ms",
]

WHOLE_CHUNK, SHORT_CHUNK = 1024, 128  # tokens a step
LONG = 1000  # tokens of the long prompt that arrives in between
PROMPT, ANSWER = 32, 60  # tokens of each stream
STREAMS = ("ann", "ben", "cho", "dov")
BOOK = "book"  # the request with the long prompt
YOU, YOUR_ANSWER = "you", 20  # the reader's own request, and tokens of its answer
AFTER = 12  # tokens of each stream when the long prompt arrives

Messages = Sequence[Mapping[str, str]]

FACTS = (
    "Ada Lovelace wrote the first program in 1843. Alan Turing described a machine in "
    "1936. Grace Hopper wrote a compiler in 1952. Edsger Dijkstra found a shortest "
    "path in 1956. Barbara Liskov designed a language in 1974."
)
TASKS: Mapping[str, str] = {
    "copying": f"Copy this text word for word, twice:\n{FACTS}\n{FACTS}",
    "free writing": "Tell me a long story about a lighthouse and a storm.",
}


@dataclass(frozen=True, slots=True)
class TaskRun:
    """A greedy answer, with its time, steps and drafts."""

    text: str
    token_ids: tuple[int, ...]
    seconds: float  # of the steps that decode
    num_steps: int  # that decode
    num_drafted: int
    num_accepted: int

    @property
    def acceptance(self) -> float:
        """Share of the drafted tokens that were accepted; 0 where none was drafted."""
        return self.num_accepted / (self.num_drafted or 1)

    @property
    def tokens_per_step(self) -> float:
        """Tokens that a decoding step gave, on average."""
        return (len(self.token_ids) - 1) / (self.num_steps or 1)


def run_task(engine: Engine, task: str, max_tokens: int = 96) -> TaskRun:
    """One of `TASKS`, greedily, to `max_tokens` or the end of the answer."""
    messages = [{"role": "user", "content": TASKS[task]}]
    prompt_ids = engine.tokenizer.encode(engine.template.render(messages))
    with engine.lock:
        engine.add(prompt_ids, SamplingParams(max_tokens=max_tokens, temperature=0.0))
        reports = _drain(engine)
    events = [event for report in reports for event in report.emitted]
    decodes = [r for r in reports if not any(p.is_prefill for p in r.scheduled)]
    drafted = sum(p.num_tokens - 1 for r in decodes for p in r.scheduled)
    return TaskRun(
        text="".join(event.text for event in events),
        token_ids=tuple(e.token_id for e in events if e.token_id is not None),
        seconds=sum(r.ended_s - r.started_s for r in decodes),
        num_steps=len(decodes),
        num_drafted=drafted,
        num_accepted=sum(len(r.emitted) - len(r.scheduled) for r in decodes),
    )


def run_stall(engine: Engine, long_tokens: int = LONG) -> dict[str, list[float]]:
    """Four streams, then a long prompt: when each came and each token, in seconds."""
    for i, name in enumerate(STREAMS):
        engine.add(_prompt(engine, i, PROMPT), _knobs(ANSWER), request=name)
    reports: list[StepReport] = []
    while _tokens_of(reports, STREAMS[0]) < AFTER:
        reports.append(engine.step())
    began_s, came_s = reports[0].started_s, reports[-1].ended_s
    engine.add(_prompt(engine, 9, long_tokens), _knobs(8), request=BOOK)
    reports += _drain(engine)
    times = {name: [0.0] for name in STREAMS} | {BOOK: [came_s - began_s]}
    for event in (e for r in reports for e in r.emitted):
        times[event.request].append(event.time_s - began_s)
    return times


def stream_gaps_ms(times: Mapping[str, Sequence[float]]) -> list[float]:
    """The four streams' gaps in what `run_stall` gave."""
    lists = (times[name][1:] for name in STREAMS)  # the first is the arrival
    return [1000 * (b - a) for tokens in lists for a, b in pairwise(tokens)]


def step_costs(measured: Measured) -> StepCosts:
    """The recorded table of what steps cost."""
    points = tuple(CostPoint(*point) for point in measured["points"])
    made = (str(measured.meta[key]) for key in ("model", "device", "date"))
    return StepCosts(points, *made)


def stall_arrivals(costs: StepCosts) -> tuple[Arrival, ...]:
    """The same traffic by its numbers, the long prompt as late as `costs` say."""
    streams = tuple(Arrival(name, 0.0, PROMPT, ANSWER) for name in STREAMS)
    alone = replay(streams, EngineConfig(max_step_tokens=WHOLE_CHUNK), costs)
    came_s = alone.token_times()[STREAMS[0]][AFTER - 1]
    return (*streams, Arrival(BOOK, came_s, LONG, 8))


class Replayer:
    """The same arrivals under any set-up, on a virtual clock."""

    def __init__(
        self,
        arrivals: Sequence[Arrival],
        costs: StepCosts,
        count: Callable[[Messages], int] | None = None,
    ) -> None:
        self.arrivals = tuple(arrivals)
        self._costs = costs
        self._count = count  # the tokens of a prompt

    def with_prompt(self, messages: Messages) -> Replayer:
        """The same arrivals, and with the last of them one with this prompt."""
        if self._count is None:
            raise ConfigError(
                "Replayer(count=None) cannot count the tokens of a prompt"
            )
        last_s = max(arrival.time_s for arrival in self.arrivals)
        own = Arrival(YOU, last_s, self._count(messages), YOUR_ANSWER)
        return Replayer((*self.arrivals, own), self._costs)

    @property
    def times_s(self) -> dict[str, float]:
        """When each request comes."""
        return {arrival.request: arrival.time_s for arrival in self.arrivals}

    def rerun(self, config: EngineConfig) -> Sequence[StepReport]:
        """One run to the end of all requests."""
        return self._replay(config, None)

    def run(self, config: EngineConfig, policy: Policy | None = None) -> ScheduleRun:
        """The same run as numbers; `policy` replaces the one that `config` names."""
        return schedule_run(self._replay(config, policy), self.times_s, config)

    def _replay(
        self, config: EngineConfig, policy: Policy | None
    ) -> Sequence[StepReport]:
        plain = replace(config, max_drafts=0)
        return replay(self.arrivals, plain, self._costs, policy).reports


def _prompt(engine: Engine, first: int, num_tokens: int) -> list[int]:
    size = engine.tokenizer.vocab_size
    return [
        (first * 1009 + 31 * place) % (size - 100) + 50 for place in range(num_tokens)
    ]


def _knobs(max_tokens: int) -> SamplingParams:
    return SamplingParams(max_tokens=max_tokens, temperature=0.0, ignore_eos=True)


def _tokens_of(reports: Sequence[StepReport], request: str) -> int:
    return sum(e.request == request for r in reports for e in r.emitted)


def _drain(engine: Engine) -> list[StepReport]:
    reports = []
    while engine.has_work:
        reports.append(engine.step())
    return reports
