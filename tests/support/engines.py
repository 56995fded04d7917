"""Small engines on tiny random models, and how to drive them to the end."""

from __future__ import annotations

from typing import Any

from labkit.clock import Clock, FakeClock
from labkit.config import EngineConfig
from labkit.engine.engine import Engine
from labkit.records import StepReport, TokenEvent
from labkit.sequence import SamplingParams
from tests.support.tiny import tiny_model

HELLO = tuple(range(100, 110))  # ten byte tokens of the tiny model's vocabulary


def tiny_engine(
    clock: Clock | None = None, drafter: Any = None, **config: Any
) -> Engine:
    """Blocks of 4 tokens, 64 of them, 16 tokens a step; seeds count up from 1,000."""
    small = {"block_size": 4, "num_blocks": 64, "max_step_tokens": 16, **config}
    seeds = iter(range(1000, 9999))
    engine_config = EngineConfig(**small)
    return Engine(
        tiny_model(), engine_config, clock or FakeClock(), lambda: next(seeds), drafter
    )


def knobs(max_tokens: int = 6, **others: Any) -> SamplingParams:
    """Parameters that never end early: end-of-text is a token like any other."""
    return SamplingParams(**{"max_tokens": max_tokens, "ignore_eos": True, **others})


def drain(engine: Engine) -> list[StepReport]:
    """Step until nothing is left, with `check()` after each step."""
    reports = []
    while engine.has_work:
        reports.append(engine.step())
        engine.check()
    return reports


def events_of(reports: list[StepReport]) -> dict[str, list[TokenEvent]]:
    """Every request's events, in order."""
    found: dict[str, list[TokenEvent]] = {}
    for report in reports:
        for event in report.emitted:
            found.setdefault(event.request, []).append(event)
    return found


def tokens_of(reports: list[StepReport]) -> dict[str, list[int | None]]:
    """Every request's token ids, in order."""
    found = events_of(reports)
    return {name: [event.token_id for event in each] for name, each in found.items()}
