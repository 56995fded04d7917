"""Exercises of chapter 8, prefill and decode: right answers and usual mistakes."""

from __future__ import annotations

from labkit.book.exercises import AnyExercise, Case, Exercise

__all__ = ["EXERCISES"]

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
    ),
)
