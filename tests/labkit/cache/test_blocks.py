"""The pool against random use, hashes as chains, and every misuse and damage found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from labkit.cache.blocks import BlockPool, BlockTable, Hashed, PrefixIndex, chained
from labkit.errors import OutOfBlocks
from labkit.records import BlockCounts

NUM_BLOCKS = 12


def test_blank_blocks_are_taken_again_last_one_first() -> None:
    pool = BlockPool(4)
    pool.take(3)
    pool.release([0, 2])  # a sequence's blocks in its order: tail first
    assert pool.free_queue == (2, 0, 3)
    assert pool.take(2) == [2, 0]


def test_kept_blocks_are_taken_last_and_a_sequences_head_after_its_tail() -> None:
    pool = BlockPool(5)
    pool.take(4)
    pool.release([3], keep=[3])
    pool.release([0, 1, 2], keep=[0, 1])
    assert pool.free_queue == (2, 4, 3, 1, 0)
    assert pool.counts() == BlockCounts(free=2, held=0, cached=3, total=5)


class Newest(BlockPool):
    """Evicts what was kept last."""

    def victim(self, kept: Iterable[int]) -> int:
        return list(kept)[-1]


def test_rule_of_a_subclass_decides_which_kept_block_is_evicted() -> None:
    pool = Newest(3)
    pool.release(pool.take(3), keep=range(3))  # kept in the order 2, 1, 0
    assert pool.take(2) == [0, 1]
    pool.check()


def test_kept_block_is_held_again_from_the_middle_of_the_queue() -> None:
    pool = BlockPool(3)
    blocks = pool.take(3)
    pool.release(blocks, keep=blocks)
    pool.hold([1])
    assert (pool.free_queue, pool.ref_count(1)) == ((2, 0), 1)
    pool.check()


def test_discarded_blocks_are_blank_where_they_stood() -> None:
    pool = BlockPool(3)
    pool.release(pool.take(2), keep=[0, 1])
    pool.discard_kept()
    assert pool.free_queue == (2, 1, 0)
    assert pool.counts() == BlockCounts(free=3, held=0, cached=0, total=3)


def test_blank_block_cannot_be_held_by_sharing() -> None:
    pool = BlockPool(2)
    pool.take(1)
    with pytest.raises(AssertionError, match="block 1 is blank"):
        pool.hold([0, 1])
    assert pool.ref_count(0) == 1


def test_shared_block_is_free_only_when_its_last_holder_leaves() -> None:
    pool = BlockPool(3)
    blocks = pool.take(2)
    pool.hold(blocks)
    pool.release(blocks)
    assert (pool.num_free, pool.ref_count(blocks[0])) == (1, 1)
    pool.release(blocks)
    assert (pool.num_free, pool.ref_count(blocks[0])) == (3, 0)
    pool.check()


def test_counts_add_up_to_the_total() -> None:
    pool = BlockPool(5)
    pool.take(2)
    assert pool.counts() == BlockCounts(free=3, held=2, cached=0, total=5)


def test_taking_more_than_is_free_takes_nothing_and_gives_the_numbers() -> None:
    pool = BlockPool(4)
    pool.take(3)
    with pytest.raises(OutOfBlocks, match="asked for 2 blocks, 1 of 4 are free"):
        pool.take(2)
    assert pool.num_free == 1


def test_taking_no_blocks_is_allowed() -> None:
    pool = BlockPool(1)
    assert pool.take(0) == []


@pytest.mark.parametrize(
    ("blocks", "sentence"),
    [
        ([3], "block 3 was named 1 times but has 0 holders"),
        ([0, 0], "block 0 was named 2 times but has 1 holders"),
        ([4], "block 4 is not one of 0 to 3"),
        ([-1], "block -1 is not one of 0 to 3"),
    ],
)
def test_misuse_is_a_sentence_and_changes_nothing(
    blocks: list[int], sentence: str
) -> None:
    pool = BlockPool(4)
    pool.take(2)
    with pytest.raises(AssertionError, match=sentence):
        pool.release([1, *blocks])
    assert pool.ref_count(1) == 1
    pool.check()


def test_empty_pool_and_negative_take_are_refused() -> None:
    with pytest.raises(AssertionError, match="can hold nothing"):
        BlockPool(0)
    with pytest.raises(AssertionError, match="cannot take -1"):
        BlockPool(1).take(-1)


@pytest.mark.parametrize(
    ("free", "ref_counts", "sentence"),
    [
        ([0, 0], [0, 1], "in the free queue twice"),
        ([0], [0, -1], "has -1 holders"),
        ([0, 1], [0, 1], "block 1 has 1 holders, is in the free queue"),
        ([0], [0, 0], "block 1 has 0 holders, is not in the free queue"),
    ],
)
def test_check_names_each_kind_of_damage(
    free: list[int], ref_counts: list[int], sentence: str
) -> None:
    pool = BlockPool(2)
    pool._blank.clear()
    pool._blank.extend(free)
    pool.ref_counts[:] = ref_counts
    with pytest.raises(AssertionError, match=sentence):
        pool.check()


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["take", "hold", "release", "keep"]),
        st.integers(0, NUM_BLOCKS + 2),
    ),
    min_size=500,
    max_size=500,
)


@seed(20261122)
@settings(max_examples=10, deadline=None)
@given(OPERATIONS)
def test_500_random_operations_keep_the_books(
    operations: list[tuple[str, int]],
) -> None:
    pool, holders = BlockPool(NUM_BLOCKS), [0] * NUM_BLOCKS  # a model of the truth
    for verb, number in operations:
        if verb == "take":
            expect_take(pool, holders, number)
        elif number < NUM_BLOCKS and holders[number]:
            give_or_hold(pool, verb, number)
            holders[number] += 1 if verb == "hold" else -1
        pool.check()
        assert [pool.ref_count(block) for block in range(NUM_BLOCKS)] == holders
        assert pool.num_free == holders.count(0)


def give_or_hold(pool: BlockPool, verb: str, number: int) -> None:
    if verb == "hold":
        pool.hold([number])
    else:
        pool.release([number], keep=[number] if verb == "keep" else [])


def expect_take(pool: BlockPool, holders: list[int], number: int) -> None:
    if number > holders.count(0):
        with pytest.raises(OutOfBlocks):
            pool.take(number)
        return
    for block in pool.take(number):
        assert holders[block] == 0, f"block {block} was handed out while held"
        holders[block] = 1


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


def test_hash_is_the_same_in_every_process() -> None:
    assert chained(None, [1, 2]).key == "f22d2006ba8bb985f7d7e3cc9b81e849"


@pytest.mark.parametrize("salt", ["", "a", "\udcff"])
def test_every_salt_counts_and_none_is_no_salt(salt: str) -> None:
    salted = {chained(None, [1], other).key for other in (None, salt, "other")}
    assert len(salted) == 3


def test_numbers_do_not_run_into_each_other() -> None:
    assert chained(None, [1, 23]).key != chained(None, [12, 3]).key


def test_salt_is_of_no_effect_after_a_parent() -> None:
    assert chained("ab", [1], "x") == chained("ab", [1], None)


def test_block_without_a_hash_is_nothing_to_forget() -> None:
    index = PrefixIndex(2)
    index.put(3, chained(None, [1, 2]))
    assert (index.forget(4), index.forget(3), index.forget(3)) == (False, True, False)
    assert (3 in index, index.get(3), index.match([1, 2, 3])) == (False, None, ())


def test_block_has_one_hash() -> None:
    index = PrefixIndex(2)
    index.put(3, chained(None, [1, 2]))
    with pytest.raises(AssertionError, match="block 3 has a hash already"):
        index.put(3, chained(None, [5, 6]))


@pytest.mark.parametrize(
    ("blocks", "sentence"),
    [({"ab": {1: None}}, "blocks by hash"), ({"cd": {}}, "a hash without a block")],
)
def test_check_of_the_index_names_each_kind_of_damage(
    blocks: dict[str, Any], sentence: str
) -> None:
    index = PrefixIndex(2)
    index._blocks = blocks
    with pytest.raises(AssertionError, match=sentence):
        index.check()


def test_what_a_hashed_block_holds_can_be_looked_at() -> None:
    index = PrefixIndex(2)
    hashed = chained("ab", [7, 8])
    index.put(0, hashed)
    assert index.get(0) == Hashed(hashed.key, "ab", (7, 8))
