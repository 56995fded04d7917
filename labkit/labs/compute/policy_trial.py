"""A scheduling policy on trial: one rush of requests under it and under decode-first.

The real scheduler runs on a virtual clock, on which a step takes 2 ms and half a
millisecond for each of its tokens. So a trial takes a moment and always ends alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from labkit.config import EngineConfig
from labkit.engine.policy import Policy, Turn
from labkit.labs.compute.traffic import BOOK, LONG, PROMPT, STREAMS
from labkit.replay.arrivals import replay
from labkit.workload import Arrival, CostPoint, StepCosts

__all__ = ["RUSH", "PolicyTrial", "policy_trial", "turns_of"]

COSTS = StepCosts(
    (CostPoint(0, 0.0, 0.002), CostPoint(1000, 0.0, 0.502)), "none", "-", "-"
)
CONFIG = EngineConfig(max_step_tokens=128)
QUESTION = "zoe"
RUSH = (
    *(Arrival(name, 0.0, PROMPT, 60) for name in STREAMS),
    Arrival(BOOK, 0.1, LONG, 8),
    Arrival(QUESTION, 0.2, 40, 20),  # while the book is being computed
)


@dataclass(frozen=True, slots=True)
class PolicyTrial:
    """What the rush became under one policy."""

    num_tokens: Mapping[str, int]  # that each request got
    question_ms: float  # to zoe's first token
    book_ms: float  # to the book's first token
    worst_gap_ms: float  # of the four streams


def policy_trial(policy: Policy | None = None) -> PolicyTrial:
    """The rush under `policy`, or under decode-first."""
    result = replay(RUSH, CONFIG, COSTS, policy)
    times, ttft_s = result.token_times(), result.ttft_s()
    gaps = [_worst_gap(times[name]) for name in STREAMS]
    return PolicyTrial(
        num_tokens={name: len(tokens) for name, tokens in times.items()},
        question_ms=1000 * ttft_s[QUESTION],
        book_ms=1000 * ttft_s[BOOK],
        worst_gap_ms=1000 * max(gaps),
    )


def turns_of(policy: object) -> tuple[Turn, ...]:
    """The turns of `policy`; raises `AssertionError` unless each of three is there."""
    turns = getattr(policy, "turns", None)
    assert turns is not None, f"{policy!r} has no `turns`: give it a tuple of Turn"
    is_order = isinstance(turns, Sequence) and not isinstance(turns, str)
    wrong = [turn for turn in turns if not isinstance(turn, Turn)] if is_order else None
    assert wrong == [], f"turns={turns!r}: use Turn.DECODES, Turn.PROMPTS and so on"
    for turn in Turn:
        assert turn in turns, f"{turn} is missing, so nobody ever takes that turn"
    assert len(turns) == len(Turn), f"turns={turns!r}: name each turn once"
    return tuple(turns)


def _worst_gap(times_s: Sequence[float]) -> float:
    return max((b - a for a, b in pairwise(times_s)), default=0.0)
