"""Reads off a clock whether somebody else's prompt is in the cache.

`attack` times guesses at a victim's prompt on a real engine; `accuracy` says how well a
threshold tells hits from misses, and `by_chance` how well it would if there were
nothing to tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from statistics import median

from labkit.labs.cache.prefix_probe import PrefixProbe, Timing

__all__ = ["accuracy", "attack", "by_chance"]

ROUNDS = 2  # of which each guess keeps the faster: noise only adds


def attack(
    probe: PrefixProbe,
    guesses: Mapping[str, Sequence[int]],
    truth: str,
    victim: str | None = None,
    attacker: str | None = None,
) -> dict[str, Timing]:
    """The faster of two requests for each guess, after the victim has asked `truth`.

    `victim` and `attacker` are their salts.
    """
    rounds = []
    for _ in range(ROUNDS):
        probe.after(guesses[truth][::-1])  # a warm-up that shares no prefix
        probe.time(guesses[truth], victim)
        rounds.append(
            {name: probe.time(ids, attacker) for name, ids in guesses.items()}
        )
    return {n: min((r[n] for r in rounds), key=lambda t: t.ms) for n in guesses}


def accuracy(hits: Sequence[float], misses: Sequence[float]) -> float:
    """Share of the times that the best threshold judges right: a hit is below it."""
    cuts = sorted([*hits, *misses])
    right = [sum(h <= c for h in hits) + sum(m > c for m in misses) for c in cuts]
    return max(right) / len(cuts)


def by_chance(
    hits: Sequence[float], misses: Sequence[float], rounds: int = 200
) -> float:
    """A permutation test: the median `accuracy` with the labels shuffled at random."""
    dice, mixed = Random(0), [*hits, *misses]

    def shuffled() -> float:
        drawn = dice.sample(mixed, len(mixed))
        return accuracy(drawn[: len(hits)], drawn[len(hits) :])

    return median(shuffled() for _ in range(rounds))
