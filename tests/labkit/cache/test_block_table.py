"""Slot arithmetic against its definition, and positions out of reach."""

from __future__ import annotations

import pytest

from labkit.cache.block_table import BlockTable


def test_slots_follow_the_blocks_in_order() -> None:
    table = BlockTable(4, [7, 2])
    assert table.slots(0, 8) == [28, 29, 30, 31, 8, 9, 10, 11]
    assert table.slots(3, 5) == [31, 8]


def test_no_positions_give_no_slots() -> None:
    assert BlockTable(4, [1]).slots(4, 4) == []


@pytest.mark.parametrize(
    ("num_tokens", "num_blocks"), [(0, 0), (1, 1), (16, 1), (17, 2), (32, 2)]
)
def test_last_block_may_be_filled_in_part(num_tokens: int, num_blocks: int) -> None:
    assert BlockTable(16).num_blocks_for(num_tokens) == num_blocks


@pytest.mark.parametrize(("start", "end"), [(0, 9), (-1, 2), (3, 2)])
def test_positions_out_of_reach_are_a_sentence(start: int, end: int) -> None:
    with pytest.raises(AssertionError, match="not within the 8 slots held"):
        BlockTable(4, [0, 1]).slots(start, end)


def test_block_size_must_be_positive() -> None:
    with pytest.raises(AssertionError, match="can hold nothing"):
        BlockTable(0)
