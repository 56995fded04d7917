"""The desk's own doings: growing, shrinking, forking, events, views, its check."""

from __future__ import annotations

import pytest

from labkit.cache.manager import CacheManager
from labkit.records import BlockCounts, BlockEvent, BlockEventKind, BlockView

SIZE = 4


def manager(num_blocks: int = 8, *, is_caching: bool = True) -> CacheManager:
    cache = CacheManager(num_blocks, SIZE, is_caching=is_caching)
    cache.events = []
    return cache


def computed(cache: CacheManager, name: str, ids: list[int]) -> list[int]:
    """Admit and compute `ids`; the request's blocks."""
    assert cache.admit(name, ids, len(ids)) is not None
    cache.commit(name, ids, len(ids))
    return cache.tables[name].blocks


def kinds(cache: CacheManager) -> list[str]:
    """What happened since the last call, as "kind block"."""
    assert cache.events is not None
    happened = [f"{event.kind} {event.block}" for event in cache.events]
    cache.events.clear()
    return happened


def test_growing_takes_blocks_only_where_the_last_one_is_full() -> None:
    cache = manager()
    cache.admit("a", [1, 2, 3], 3)
    assert cache.grow("a", 4)
    assert cache.tables["a"].blocks == [0]
    assert cache.grow("a", 9)
    assert cache.tables["a"].blocks == [0, 1, 2]


def test_growing_beyond_the_pool_changes_nothing() -> None:
    cache = manager(3)
    cache.admit("a", [1], 1)
    assert not cache.grow("a", 13)
    assert (cache.tables["a"].blocks, cache.num_free) == ([0], 2)


def test_admission_may_leave_blocks_to_spare() -> None:
    cache = manager(4)
    assert cache.admit("a", [1] * 9, 9, spare=2) is None
    assert cache.admit("a", [1] * 9, 9, spare=1) == 0


def test_admission_may_take_blocks_for_a_part_of_the_tokens() -> None:
    cache = manager()
    assert cache.admit("a", list(range(20)), 6) == 0
    assert cache.tables["a"].capacity == 8


def test_shrinking_gives_back_what_lies_behind() -> None:
    cache = manager()
    computed(cache, "a", [1] * 9)
    cache.grow("a", 16)
    cache.shrink("a", 9)
    assert (cache.tables["a"].blocks, cache.num_free) == ([0, 1, 2], 5)
    cache.shrink("a", 4)
    assert (cache.tables["a"].num_hashed, cache.counts().cached) == (1, 1)
    cache.check()


def test_both_sides_of_a_fork_read_the_same_and_write_apart() -> None:
    cache = manager()
    computed(cache, "a", [1] * 6)
    cache.fork("a", "b", 6)
    assert cache.tables["b"].blocks == cache.tables["a"].blocks == [0, 1]
    assert cache.writable("a", 6, 7) == ((1, 2),)  # who writes first gets the copy
    assert cache.writable("b", 6, 7) == ()
    assert (cache.tables["a"].blocks, cache.tables["b"].blocks) == ([0, 2], [0, 1])
    cache.check()


def test_copy_that_finds_no_free_block_changes_nothing() -> None:
    cache = manager(2)
    computed(cache, "a", [1] * 6)
    cache.fork("a", "b", 5)
    assert cache.writable("b", 5, 6) is None
    assert cache.tables["b"].blocks == [0, 1]
    cache.check()


def test_fork_may_begin_earlier_than_its_parent_is() -> None:
    cache = manager()
    computed(cache, "a", [1] * 12)
    cache.fork("a", "b", 6)
    assert (cache.tables["b"].blocks, cache.tables["b"].num_hashed) == ([0, 1], 1)
    assert cache.grow("b", 9)
    assert cache.writable("b", 6, 9) == ((1, 4),)
    cache.check()


def test_full_block_of_a_fork_gets_its_hash_once() -> None:
    cache = manager()
    cache.admit("a", [1] * 8, 8)
    cache.fork("a", "b", 8)  # computed, but not committed yet
    cache.commit("a", [1] * 8, 8)
    cache.commit("b", [1] * 8, 8)
    assert kinds(cache).count("hash 0") == 1
    cache.check()


def test_without_caching_nothing_is_found_and_nothing_is_counted() -> None:
    cache = manager(is_caching=False)
    computed(cache, "a", [1] * 9)
    cache.free("a")
    assert cache.admit("b", [1] * 9, 9) == 0
    assert cache.counts() == BlockCounts(free=5, held=3, cached=0, total=8)
    assert cache.stats().hit_rate is None


def test_events_tell_a_blocks_whole_life() -> None:
    cache = manager(3)
    computed(cache, "a", [1] * 5)
    assert kinds(cache) == ["take 0", "take 1", "hash 0"]
    cache.free("a")
    cache.admit("b", [1] * 5, 5)
    assert kinds(cache) == ["free 1", "free 0", "hit 0", "take 1"]
    cache.fork("b", "c", 5)
    cache.writable("c", 5, 6)
    assert kinds(cache) == ["share 0", "share 1", "copy 2", "free 1"]
    cache.free("b")
    cache.free("c")
    cache.admit("d", [2] * 12, 12)
    assert kinds(cache)[-4:] == ["take 2", "take 1", "evict 0", "take 0"]


def test_copy_names_the_block_it_was_made_from() -> None:
    cache = manager()
    computed(cache, "a", [1] * 3)
    cache.fork("a", "b", 3)
    cache.writable("b", 3, 4)
    copied = BlockEvent(BlockEventKind.COPY, 1, "b", source=0)
    assert cache.events is not None
    assert copied in cache.events


def test_forgetting_all_hashes_is_an_event_of_every_block_that_had_one() -> None:
    cache = manager()
    computed(cache, "a", [1] * 9)
    cache.free("a")
    kinds(cache)
    assert cache.reset()
    assert kinds(cache) == ["evict 1", "evict 0"]


def test_nothing_is_recorded_unless_asked_for() -> None:
    cache = CacheManager(8, SIZE)
    computed(cache, "a", [1] * 9)
    cache.free("a")
    assert cache.events is None


def test_views_show_owners_tokens_and_the_chain() -> None:
    cache, ids = manager(3), [1, 2, 3, 4, 5, 6]
    computed(cache, "a", ids)
    cache.fork("a", "b", 6)
    first, second, blank = cache.views({"a": ids, "b": ids[:5]})
    assert (first.owners, first.num_filled, first.token_ids) == (
        ("a", "b"),
        4,
        (1, 2, 3, 4),
    )
    assert (first.parent, first.ref_count, first.queue_place) == (None, 2, None)
    assert (second.hash, second.num_filled, second.token_ids) == (None, 2, (5, 6))
    assert blank == BlockView(2, 0, (), 0, queue_place=0)


def test_check_compares_holders_with_tables() -> None:
    cache = manager()
    computed(cache, "a", [1] * 6)
    cache.tables["a"].blocks.pop()
    with pytest.raises(AssertionError, match="1 has 1 holders, 0 tables name it"):
        cache.check()


@pytest.mark.parametrize(
    ("order", "num_hashed", "sentence"),
    [([0, 1, 2], 3, "lost its hash"), ([1, 0, 2], 2, "should be")],
)
def test_check_follows_the_chain_of_each_table(
    order: list[int], num_hashed: int, sentence: str
) -> None:
    cache = manager()
    computed(cache, "a", list(range(9)))
    cache.tables["a"].blocks[:] = order
    cache.tables["a"].num_hashed = num_hashed
    with pytest.raises(AssertionError, match=sentence):
        cache.check()


def test_positions_without_a_block_cannot_be_written() -> None:
    cache = manager()
    computed(cache, "a", [1] * 4)
    with pytest.raises(AssertionError, match="a has no block for 4: grow it"):
        cache.writable("a", 4, 5)


def test_request_holds_blocks_once() -> None:
    cache = manager()
    cache.admit("a", [1], 1)
    with pytest.raises(AssertionError, match="a holds blocks already"):
        cache.admit("a", [1], 1)
    with pytest.raises(AssertionError, match="a holds blocks already"):
        cache.fork("a", "a", 1)
