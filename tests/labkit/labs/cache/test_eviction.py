"""Eviction rules on the engine's cache: LRU, better ones, and answers that cheat."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from labkit.book.answers import exercise
from labkit.book.exercises import State
from labkit.book.grading import grade
from labkit.labs.cache.eviction import (
    KeptBlock,
    chats,
    chats_and_documents,
    least_recent,
    replay,
)


def least_found(kept: Sequence[KeptBlock]) -> int:
    return min(kept, key=lambda one: one.num_hits).block


def test_least_recently_used_rule_loses_a_prompt_to_documents() -> None:
    assert replay(least_recent, chats()) == pytest.approx(39 * 40 / (40 * 48))
    both = replay(least_recent, chats_and_documents())
    assert both < replay(least_found, chats_and_documents()) / 1.4


def test_rule_that_names_no_kept_block_is_refused_with_a_sentence() -> None:
    with pytest.raises(AssertionError, match="the rule named -1, which is none of"):
        replay(lambda kept: -1, chats())


def test_rule_that_keeps_what_is_found_again_is_right() -> None:
    found = grade(exercise("7.4"), least_found)
    assert (found.state, found.text.count("✓")) == (State.RIGHT, 3)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (least_recent, "evicts the least recently used block, as LRU does"),
        (lambda kept: kept[-1].block, "it finds 17."),
        (
            lambda kept: max(kept, key=lambda one: one.num_hits).block,
            "gives up the block that was found most often",
        ),
        (lambda kept: kept[0], "return its number, `.block`"),
        (lambda kept: kept[99].block, "your code raised IndexError"),
        (lambda: 1, "your code raised TypeError"),
    ],
)
def test_other_rules_are_told_what_they_do(rule, said) -> None:
    found = grade(exercise("7.4"), rule)
    assert found.state is State.WRONG
    assert said in found.text


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("7.2", 704, "rounded up"),
        ("7.2", 21, "These are blocks"),
        ("7.3", 116, "only 90 %"),
        ("7.3", 118, "take them off first"),
        ("7.3", 104, "round down"),
    ],
)
def test_usual_mistakes_are_answered(name, wrong, said) -> None:
    assert said in grade(exercise(name), wrong).text
