"""Telling hits from misses, and what there is to tell with shuffled labels."""

from __future__ import annotations

from labkit.clock import SystemClock
from labkit.labs.cache.prefix_probe import PrefixProbe
from labkit.labs.cache.side_channel import accuracy, attack, by_chance
from tests.support.engines import tiny_engine

GUESSES = {"a": tuple(range(100, 130)), "b": tuple(range(140, 170))}


def test_threshold_between_two_groups_is_always_right() -> None:
    assert accuracy([1.0, 2.0], [3.0, 4.0]) == 1.0
    assert accuracy([1.0, 3.0], [2.0, 4.0]) == 0.75


def test_shuffled_labels_are_told_a_little_better_than_half() -> None:
    hits, misses = [float(i) for i in range(20)], [float(i) for i in range(50, 70)]
    assert accuracy(hits, misses) == 1.0
    assert 0.5 <= by_chance(hits, misses) < 0.75


def test_only_the_right_guess_is_a_hit_and_with_salts_none_is() -> None:
    clock = SystemClock()
    probe = PrefixProbe(tiny_engine(clock), clock)
    found = attack(probe, GUESSES, "b")
    assert found["b"].cached > found["a"].cached == 0
    salted = attack(probe, GUESSES, "b", "clinic", "attacker")
    assert not any(timing.cached for timing in salted.values())
