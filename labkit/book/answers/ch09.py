"""Exercises of chapter 9, sampling: right answers and usual mistakes."""

from __future__ import annotations

from labkit.book.exercises import AnyExercise, Case, Exercise

__all__ = ["EXERCISES"]

EXERCISES: tuple[AnyExercise, ...] = (
    Exercise(
        name="9.1",
        task="tokens that survive top-p .85 when temperature 2 comes first",
        value=4,
        unit="tokens",
        hint="heating turns a share p into p ** (1 / T); then make them add up to 1.",
        cases=(  # (shares, temperature, top_p, does the temperature come first?)
            Case(([0.6, 0.2, 0.1, 0.06, 0.04], 2.0, 0.85, True), 4),
            Case(([0.6, 0.2, 0.1, 0.06, 0.04], 2.0, 0.85, False), 3),
            Case(([0.5, 0.3, 0.15, 0.05], 2.0, 0.75, False), 2),
            Case(([0.7, 0.2, 0.1], 1.0, 0.8, True), 2),
        ),
    ),
    Exercise(
        name="9.2",
        task="tokens that survive top-k 3 and then top-p .7",
        value=2,
        unit="tokens",
        hint="what top-k leaves is made to add up to 1 again; jointly it is not.",
        cases=(  # (shares, top_k, top_p, are both judged on the first distribution?)
            Case(([0.35, 0.25, 0.2, 0.15, 0.05], 3, 0.7, False), 2),
            Case(([0.35, 0.25, 0.2, 0.15, 0.05], 3, 0.7, True), 3),
            Case(([0.4, 0.3, 0.2, 0.1], 2, 0.5, True), 2),
            Case(([0.4, 0.3, 0.2, 0.1], 3, 0.9, False), 3),
        ),
    ),
    Exercise(
        name="9.3",
        task="the first token's share after the penalty, 6 added before, to 3 places",
        value=0.348,
        unit="of the mass",
        hint="the penalty divides a logit above 0 and multiplies one below it.",
        places=3,
        cases=(  # (logits, penalty on the first, constant added to all before)
            Case(([3.0, 2.0, 0.0], 1.2, 6.0), 0.348),
            Case(([3.0, 2.0, 0.0], 1.2, -5.0), 0.616),
            Case(([2.0, 1.0, -1.0], 1.3, 0.0), 0.601),
            Case(([2.0, 1.0, -1.0], 1.0, 10.0), 0.705),
        ),
        tolerance=0.0005,
    ),
)
