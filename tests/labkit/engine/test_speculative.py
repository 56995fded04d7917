"""Drafts from the text itself, and how far ahead they are worth their cost."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from labkit.engine.speculative import DraftStats, NgramDrafter, Speculator
from labkit.sequence import Sequence
from tests.support.rows import sequence


@pytest.mark.parametrize(
    ("ids", "drafts"),
    [
        ([1, 2, 3, 4, 9, 1, 2, 3, 4], (9, 1, 2)),
        ([1, 2, 9, 9, 1, 2], (9, 9, 1)),
        ([7, 1, 2, 5, 8, 1, 2, 6, 7, 1, 2], (5, 8, 1)),  # three tokens beat two
        ([1, 2, 5, 1, 2, 6, 1, 2], (6, 1, 2)),  # of equals the newest
        ([5, 5, 5], (5, 5, 5)),  # a loop goes on
        ([1, 2, 1, 2, 1], (2, 1, 2)),
        ([1, 2, 3, 4, 5], ()),
        ([1, 9, 1], ()),  # one token alone says nothing
        ([1], ()),
    ],
)
def test_text_goes_on_as_after_its_longest_repeated_ending(
    ids: list[int], drafts: tuple[int, ...]
) -> None:
    assert NgramDrafter().propose(sequence(ids), 3) == drafts


def slow_truth(ids: list[int], most: int) -> tuple[int, ...]:
    for size in (4, 3, 2):
        for start in range(len(ids) - 1, size - 1, -1):
            if ids[start - size : start] == ids[-size:]:
                grown = list(ids)
                for place in range(most):
                    grown.append(grown[start + place])
                return tuple(grown[len(ids) :])
    return ()


@seed(8)
@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(1, 40))
def test_index_that_grows_with_the_text_finds_what_a_search_of_all_finds(
    ids: list[int], first: int
) -> None:
    drafter, growing = NgramDrafter(), sequence(ids[:first])
    assert drafter.propose(growing, 5) == slow_truth(ids[:first], 5)
    for end, token_id in enumerate(ids[first:], start=first + 1):
        growing.output_ids.append(token_id)
        assert drafter.propose(growing, 5) == slow_truth(ids[:end], 5)


def test_request_that_is_forgotten_begins_again() -> None:
    drafter = NgramDrafter()
    assert drafter.propose(sequence([5, 5, 5]), 2) == (5, 5)
    drafter.forget("a")
    assert drafter.propose(sequence([1, 2, 3]), 2) == ()


@dataclass
class Parrot(NgramDrafter):
    """Always drafts token 4, as often as it may."""

    asked: list[int] = field(default_factory=list)

    def propose(self, sequence: Sequence, most: int) -> tuple[int, ...]:
        self.asked.append(most)
        return (4,) * most

    def forget(self, request: str) -> None:
        pass


def drafted(speculator: Speculator, share: float, num_steps: int) -> list[int]:
    """How many tokens each step drafted where this share of the drafts stands."""
    counts = []
    for _ in range(num_steps):
        num = len(speculator.propose(sequence([1]), 99, 1))
        counts.append(num)
        if num:
            speculator.settle("a", num, int(share * num))
    return counts


def test_drafts_that_stand_are_followed_by_longer_ones_up_to_the_limit() -> None:
    counts = drafted(Speculator(Parrot(), 8), 1.0, 10)
    assert counts == sorted(counts)
    assert counts[-1] == 8


def test_text_that_refutes_its_drafts_is_left_alone_but_for_a_try_now_and_then() -> (
    None
):
    counts = drafted(Speculator(Parrot(), 8), 0.0, 1000)
    assert sum(counts[:20]) <= 12
    assert 10 < sum(counts[20:]) < 120


def test_trust_comes_back_when_a_text_begins_to_repeat_itself() -> None:
    speculator = Speculator(Parrot(), 8)
    drafted(speculator, 0.0, 100)
    assert drafted(speculator, 1.0, 60)[-1] == 8


@pytest.mark.parametrize(
    ("room", "num_running", "most"),
    [(99, 1, 8), (99, 3, 3), (1, 1, 1), (0, 1, 0), (99, 12, 0)],
)
def test_room_and_a_full_batch_limit_what_is_drafted(
    room: int, num_running: int, most: int
) -> None:
    speculator = Speculator(Parrot(), 8)
    drafted(speculator, 1.0, 60)
    found = speculator.propose(sequence([1]), room, num_running)
    assert len(found) == most


def test_a_new_text_is_tried_with_one_draft() -> None:
    assert len(Speculator(Parrot(), 8).propose(sequence([1]), 99, 1)) == 1


def test_statistics_count_what_was_drafted_and_what_stood() -> None:
    speculator = Speculator(Parrot(), 8)
    assert speculator.stats().acceptance is None
    assert speculator.stats().tokens_per_verify is None
    for accepted in (3, 0):
        speculator.propose(sequence([1]), 99, 1)
        speculator.settle("a", 3, accepted)
    assert speculator.stats() == DraftStats(2, 6, 3)
    assert speculator.stats().acceptance == 0.5
    assert speculator.stats().tokens_per_verify == 2.5
