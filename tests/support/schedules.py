"""Step reports made by hand: four steps in which a long prompt stalls a stream."""

from __future__ import annotations

from collections.abc import Sequence

from labkit.config import EngineConfig
from labkit.records import BlockCounts, ScheduledSlice, StepReport, TokenEvent

ARRIVALS = {"chat": 10.0, "book": 10.02}
STEP_S = 0.001  # a token


def decode(request: str, position: int) -> ScheduledSlice:
    return ScheduledSlice(request, position, 1, is_prefill=False)


def prefill(request: str, start: int, num_tokens: int) -> ScheduledSlice:
    return ScheduledSlice(request, start, num_tokens, is_prefill=True)


def report(
    index: int,
    started_s: float,
    parts: Sequence[ScheduledSlice],
    sampled: Sequence[str],
    waiting: Sequence[str] = (),
    running: Sequence[str] = (),
) -> StepReport:
    """A step that takes 10 ms and a millisecond a token."""
    ended_s = started_s + 0.01 + STEP_S * sum(p.num_tokens for p in parts)
    events = [TokenEvent(name, index, 0, 7, "", ended_s) for name in sampled]
    alive = tuple(dict.fromkeys([*running, *(p.request for p in parts)]))
    return StepReport(
        index=index,
        scheduled=tuple(parts),
        blocks=BlockCounts(60 - index, 4 + index, 0, 64),
        num_running=len(alive),
        num_waiting=len(waiting),
        emitted=tuple(events),
        started_s=started_s,
        computed_s=ended_s,
        sampled_s=ended_s,
        ended_s=ended_s,
        running=alive,
        waiting=tuple(waiting),
    )


def reports(chunk: int = 80) -> list[StepReport]:
    """A prompt of 10 and one token; then 80 tokens of another prompt in chunks."""
    made = [report(0, 10.0, [prefill("chat", 0, 10)], ["chat"])]
    for start in range(0, 80, chunk):
        parts = [decode("chat", 10 + len(made)), prefill("book", start, chunk)]
        done = ["chat", "book"] if start + chunk == 80 else ["chat"]
        made.append(report(len(made), max(made[-1].ended_s, 10.02), parts, done))
    last = [decode("chat", 10 + len(made)), decode("book", 80)]
    made.append(report(len(made), made[-1].ended_s, last, ["chat", "book"]))
    return made


class Again:
    """A rerun that knows nothing but the chunk size; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[EngineConfig] = []

    def rerun(self, config: EngineConfig) -> list[StepReport]:
        self.asked.append(config)
        return reports(min(80, config.max_step_tokens))
