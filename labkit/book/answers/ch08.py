"""Exercises of chapter 8, prefill and decode: right answers and usual mistakes."""

from __future__ import annotations

import math
from typing import Any

from labkit.book.exercises import (
    AnyExercise,
    Case,
    Exercise,
    Mistake,
    OpenExercise,
    Requirement,
)

__all__ = ["EXERCISES"]


def _bench() -> Any:
    """The module that tries a policy; it brings torch, which takes two seconds."""
    from labkit.labs.compute import policy_trial  # noqa: PLC0415  # see above

    return policy_trial


def _turns(answer: Any) -> Any:
    """The turns of a policy, as names; an unwritten one is not implemented."""
    if getattr(answer, "turns", None) is ...:
        raise NotImplementedError
    return [turn.name for turn in _bench().turns_of(answer)]


def _trials(answer: Any) -> tuple[Any, Any]:
    """The trial of the policy, and that of decode-first."""
    try:
        _turns(answer)
    except AssertionError:
        raise AssertionError("it cannot run before the turns are right") from None
    policy = answer() if isinstance(answer, type) else answer
    return _bench().policy_trial(policy), _bench().policy_trial()


def _serves_everyone(answer: Any) -> None:
    found = _trials(answer)[0].num_tokens
    for arrival in _bench().RUSH:
        got, wanted = found.get(arrival.request, 0), arrival.output_tokens
        assert got == wanted, f"{arrival.request} got {got} of {wanted} tokens"


def _keeps_within(answer: Any, what: str, factor: float, told: str) -> None:
    """Refuse a time of the trial above `factor` times that of decode-first."""
    own, usual = (getattr(trial, what) for trial in _trials(answer))
    first = f"under decode-first it is {usual:,.0f} ms"
    assert own <= factor * usual, f"{told} {own:,.0f} ms; {first}"


EXERCISES: tuple[AnyExercise, ...] = (
    Exercise(
        name="8.1",
        task="the ridge of the H100 SXM, in whole FLOP for each byte",
        value=295,
        unit="FLOP/B",
        hint="divide what it can compute in a second by what it can read, then round.",
        places=0,
        cases=(  # (FLOP/s, bytes/s)
            Case((989.4e12, 3.35e12), 295),
            Case((312e12, 2.039e12), 153),
            Case((989.4e12, 4.8e12), 206),
            Case((125e12, 0.9e12), 139),  # 138.9: rounded up
        ),
        mistakes=(
            Mistake(591, "The larger printed figure needs half of the weights zero."),
            Mistake(
                lambda found: 0 <= found < 1,
                "These are bytes for each operation; the ridge is operations for each "
                "byte.",
            ),
        ),
    ),
    Exercise(
        name="8.2",
        task="the least time of a token decoded alone, in ms to two places",
        value=3.35,
        unit="ms",
        hint="every weight is read once: parameters x bytes each / bytes a second; "
        "in milliseconds, rounded to two places.",
        tolerance=0.005,
        places=2,
        cases=(  # (parameters, bytes each, bytes/s)
            Case((8_030_261_248, 2, 4.8e12), 3.35),
            Case((8_030_261_248, 2, 3.35e12), 4.79),
            Case((8_030_261_248, 2, 2.039e12), 7.88),
        ),
        mistakes=(
            Mistake(0, "Is it in seconds? The answer is in milliseconds."),
            Mistake(
                lambda found: math.isclose(found, 298.87, abs_tol=0.2),
                "These are tokens a second; the question is for the time of one.",
            ),
        ),
    ),
    Exercise(
        name="8.3",
        task="the largest chunk that keeps a gap of 50 ms, beside four streams",
        value=96,
        unit="tokens",
        hint="promise / token_ms tokens fit into a step; the streams take theirs "
        "first. No step is shorter than read_ms, and no chunk is below 0.",
        cases=(  # (promise_ms, read_ms, token_ms, streams)
            Case((50.0, 2.0, 0.5, 4), 96),
            Case((20.0, 2.0, 0.25, 64), 16),
            Case((1.0, 2.0, 0.0625, 4), 0),
            Case((3.0, 2.0, 0.5, 8), 0),
        ),
        mistakes=(
            Mistake(100, "The four streams take a token each before the prompt does."),
            Mistake(
                lambda found: math.isclose(found, 92),
                "A step takes read_ms or the time of its tokens, whichever is longer; "
                "they do not add up.",
            ),
            Mistake(
                lambda found: found < 0,
                "No chunk is below 0 tokens: what is left when the streams fill the "
                "step?",
            ),
        ),
    ),
    OpenExercise(
        name="8.4",
        task="a policy under which a short question does not wait for a long prompt",
        requirements=(
            Requirement("It names each of the three turns once", _turns),
            Requirement("Every request gets all of its tokens", _serves_everyone),
            Requirement(
                "No stream waits longer for a token than under decode-first",
                lambda own: _keeps_within(
                    own, "worst_gap_ms", 1.05, "the worst gap is"
                ),
            ),
            Requirement(
                "zoe waits for her first token at most half as long",
                lambda own: _keeps_within(own, "question_ms", 0.5, "her wait is"),
            ),
            Requirement(
                "The book waits at most a fifth longer for its first token",
                lambda own: _keeps_within(own, "book_ms", 1.2, "its wait is"),
            ),
        ),
        hint="who takes the tokens that the four answers leave in a step? Whoever has "
        "the next turn; and the book takes all that it can get.",
        mistakes=(
            Mistake(
                lambda own: _turns(own)[-1] == "DECODES",
                "The answers have the last turn, so they stall while a prompt is "
                "computed.",
            ),
            Mistake(
                lambda own: _turns(own)[-1] == "ARRIVALS",
                "Arrivals have the last turn, so zoe gets what the book leaves, "
                "which is nothing.",
            ),
        ),
    ),
)
