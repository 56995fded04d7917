"""Exercises of chapter 9, sampling: right answers and usual mistakes."""

from __future__ import annotations

from collections.abc import Callable
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


def _near(value: float) -> Callable[[float], bool]:
    """True for a number that is `value` to three places, rounded or not."""
    return lambda found: abs(found - value) < 0.0006


def _keeps(check: str) -> Callable[[Any], object]:
    """A check of `filter_checks`, which brings torch, so it is read when it is run."""

    def test(answer: Any) -> object:
        from labkit.labs.sampling import filter_checks  # noqa: PLC0415  # takes 2 s

        return getattr(filter_checks, check)(answer)

    return test


def _is(check: str) -> Callable[[Any], bool]:
    """The same for a check that answers yes or no."""
    return lambda answer: bool(_keeps(check)(answer))


EXERCISES: tuple[AnyExercise, ...] = (
    Exercise(
        name="9.1",
        task="tokens that survive top-p .85 when temperature 2 comes first",
        value=4,
        unit="tokens",
        hint="temperature T turns a probability p into p ** (1 / T); divide by the "
        "sum, so that they add up to 1 again, and then count until .85 is reached.",
        cases=(  # (probabilities, temperature, top_p, does the temperature come first?)
            Case(([0.6, 0.2, 0.1, 0.06, 0.04], 2.0, 0.85, True), 4),
            Case(([0.6, 0.2, 0.1, 0.06, 0.04], 2.0, 0.85, False), 3),
            Case(([0.5, 0.3, 0.15, 0.05], 2.0, 0.75, False), 2),
            Case(([0.7, 0.2, 0.1], 1.0, 0.8, True), 2),
        ),
        mistakes=(
            Mistake(
                3,
                "3 tokens survive where top-p sees the model's own probabilities; here "
                "it sees what temperature 2 has made of them.",
            ),
            Mistake(
                5,
                "5 are all of them: top-p stops at the first token with which the sum "
                "is .85 or more.",
            ),
        ),
    ),
    Exercise(
        name="9.2",
        task="tokens that survive top-k 3 and then top-p .7",
        value=2,
        unit="tokens",
        hint="divide what top-k keeps by its sum, .8, before you count for top-p; "
        "where both are judged jointly, nothing is divided.",
        cases=(  # (probabilities, top_k, top_p, is it joint?)
            Case(([0.35, 0.25, 0.2, 0.15, 0.05], 3, 0.7, False), 2),
            Case(([0.35, 0.25, 0.2, 0.15, 0.05], 3, 0.7, True), 3),
            Case(([0.4, 0.3, 0.2, 0.1], 2, 0.5, True), 2),
            Case(([0.4, 0.3, 0.2, 0.1], 3, 0.9, False), 3),
        ),
        mistakes=(
            Mistake(
                3,
                "3 tokens survive where top-p sees the first distribution (.35 + .25 "
                "is below .7); here it sees 7/16, 5/16 and 4/16.",
            ),
            Mistake(1, "the first token has 7/16, which is below .7: count on."),
        ),
    ),
    Exercise(
        name="9.3",
        task="the first token's probability, 6 added before the penalty, to 3 places",
        value=0.348,
        unit="(a probability)",
        hint="add 6 first; then the penalty divides a logit above 0 and multiplies one "
        "below it; the softmax comes last.",
        places=3,
        cases=(  # (logits, penalty on the first, constant added to all before)
            Case(([3.0, 2.0, 0.0], 1.2, 6.0), 0.348),
            Case(([3.0, 2.0, 0.0], 1.2, -5.0), 0.616),
            Case(([2.0, 1.0, -1.0], 1.3, 0.0), 0.601),
            Case(([2.0, 1.0, -1.0], 1.0, 10.0), 0.705),
        ),
        tolerance=0.0005,
        mistakes=(
            Mistake(
                _near(0.592),
                "that is the result without the 6, or with the 6 added after the "
                "penalty: add it to all three logits first.",
            ),
            Mistake(
                _near(0.705),
                "that is the probability without a penalty: divide the first logit, "
                "which is 9 by then, by 1.2.",
            ),
            Mistake(
                _near(0.935),
                "the logit was multiplied by the penalty: above 0 it is divided.",
            ),
            Mistake(
                _near(0.770),
                "a logit below 0 is multiplied by the penalty: divided, it would rise.",
            ),
        ),
    ),
    OpenExercise(
        name="9.4",
        task="a filter of your own that the engine's sampler can draw with",
        requirements=(
            Requirement(
                "Each logit is kept as it is or becomes minus infinity",
                _keeps("keeps_or_drops"),
            ),
            Requirement(
                "Every row keeps its likeliest token", _keeps("keeps_the_best")
            ),
            Requirement(
                "A constant added to all logits changes nothing",
                _keeps("ignores_a_constant"),
            ),
            Requirement(
                "A row keeps the same tokens alone and in a batch",
                _keeps("judges_rows_alone"),
            ),
            Requirement(
                "A flat row keeps more tokens than one with a clear favourite",
                _keeps("adapts"),
            ),
            Requirement(
                "The engine's own sampler draws survivors only, with 100 seeds",
                _keeps("is_drawn_from"),
            ),
        ),
        hint="compare each logit with its row's largest one, "
        "logits.amax(dim=-1, keepdim=True): the difference does not change when a "
        "constant is added. torch.where(is_kept, logits, -torch.inf) drops the rest.",
        mistakes=(
            Mistake(
                _is("gives_a_mask"),
                "Return logits, not a yes or no for each token: "
                "torch.where(is_kept, logits, -torch.inf).",
            ),
            Mistake(
                _is("gives_zeros"),
                "A logit of 0 is a token like others, since its softmax is not 0: drop "
                "a token with -torch.inf.",
            ),
        ),
    ),
)
