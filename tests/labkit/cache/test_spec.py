"""Every scenario of the specification that concerns the cache alone, on our cache.

Those that need a scheduler or an engine are in `tests/labkit/engine/test_spec.py`;
`TESTS` in both files says which test stands for which scenario.
"""

from __future__ import annotations

from typing import Any

import pytest

from labkit.cache.blocks import BlockPool, chained
from labkit.cache.manager import CacheManager
from labkit.errors import OutOfBlocks
from labkit.records import CacheStats
from tests.support.kv_spec import SCENARIOS, SpecCache, tokens_of


def repeated(*runs: tuple[int, int]) -> list[int]:
    return [token for token, times in runs for _ in range(times)]


def test_prefill_hits_holds_and_frees_in_the_order_of_the_specification() -> None:
    spec = SCENARIOS["prefill"]
    cache = SpecCache(spec["blocks"])
    for step in spec["steps"]:
        take_step(cache, step)


def take_step(cache: SpecCache, step: dict[str, Any]) -> None:
    if step["op"] == "free":
        cache.free(step["req"])
    else:
        hit = cache.alloc(step["req"], tokens_of(step["tokens"]))
        assert hit == step["hit_tokens"]
        num_hit = len(step.get("hit_blocks", []))
        assert cache.blocks(step["req"])[:num_hit] == step.get("hit_blocks", [])
        assert cache.blocks(step["req"])[num_hit:] == step["blocks"]
        hashed = [key is not None for key in cache.hashes(step["req"])]
        assert hashed.count(False) == len(step.get("unhashed", [])) or num_hit
    refs = cache.refs()
    assert all(refs[int(b)] == n for b, n in step.get("ref", {}).items())
    assert cache.cache.num_free == step.get("free", cache.cache.num_free)
    assert cache.free_order() == step.get("free_order", cache.free_order())


def test_decode_fills_a_block_and_then_it_has_its_hash() -> None:
    cache = SpecCache(11)
    cache.alloc(0, list(range(55)))
    assert [key is None for key in cache.hashes(0)] == [False, False, False, True]
    cache.append(0, [9] * 4)
    assert [key is None for key in cache.hashes(0)] == [False, False, False, True]
    cache.append(0, [8] * 19)
    assert [key is None for key in cache.hashes(0)] == [False] * 4 + [True]


def test_least_recently_used_is_evicted_first_and_tails_before_heads() -> None:
    cache, ids = SpecCache(11), list(range(87))
    cache.alloc(0, ids)
    cache.alloc(1, list(range(200, 248)))
    assert cache.cache.num_free == 1
    cache.free(0)
    assert cache.free_order() == [6, 10, 5, 4, 3, 2, 1]
    cache.free(1)
    assert cache.free_order() == [6, 10, 5, 4, 3, 2, 1, 9, 8, 7]
    assert cache.alloc(2, ids[:35]) == 32
    assert (cache.blocks(2), cache.cache.num_free) == ([1, 2, 6], 7)


def test_cached_block_that_is_filled_in_part_has_no_hash_any_more() -> None:
    cache, ids = SpecCache(2), list(range(16))
    cache.alloc(0, ids)
    cache.free(0)
    assert cache.cache.match([*ids, 0]) == (0,)
    cache.alloc(1, [5, 6])
    assert cache.hashes(1) == [None]
    assert cache.cache.match([*ids, 0]) == ()


def test_blocks_that_are_hit_are_not_evicted_for_the_same_request() -> None:
    cache, known, other = SpecCache(4), [1] * 16, [2] * 16
    cache.alloc(0, known)
    cache.alloc(1, other)
    cache.free(0, 1)
    assert cache.alloc(2, [*known, *[3] * 20]) == 16
    assert cache.blocks(2) == [1, 3, 2]  # 2 was `other`'s
    assert cache.cache.match([*other, 0]) == ()


def test_failed_allocation_changes_no_count_of_the_blocks_it_hit() -> None:
    cache, known = SpecCache(5), [1] * 32
    cache.alloc(0, known)
    cache.alloc(1, [2] * 16)
    cache.free(0)
    before = (cache.cache.views(), cache.cache.stats(), cache.free_order())
    assert cache.alloc(2, [*known, *[3] * 40]) is None
    assert (cache.cache.views(), cache.cache.stats(), cache.free_order()) == before


def test_reset_is_refused_while_a_request_holds_blocks() -> None:
    cache = SpecCache(5)
    cache.alloc(0, [1] * 33)
    cache.alloc(1, [2] * 16)
    assert not cache.cache.reset()
    cache.free(0)
    assert not cache.cache.reset()
    cache.free(1)
    assert cache.cache.reset()
    assert (cache.cache.counts().cached, cache.cache.match([1] * 33)) == (0, ())


def test_evicting_one_of_two_equal_blocks_leaves_the_other_in_the_index() -> None:
    cache, ids = SpecCache(4), [1] * 16
    for name in (0, 1):
        cache.alloc(name, ids)  # a hit would leave nothing to compute
    first, second = cache.hashes(0)[0], cache.hashes(1)[0]
    assert first == second
    cache.free(0)
    cache.alloc(2, [2] * 32)  # takes block 3 and evicts block 1
    assert cache.blocks(2) == [3, 1]
    assert cache.cache.match([*ids, 0]) == (1,)


def test_salt_enters_the_first_hash_only_and_separates_all_blocks() -> None:
    cache, ids = SpecCache(20), list(range(40))
    cache.alloc(0, ids, salt="red")
    assert [cache.alloc(n, ids, s) for n, s in enumerate(("red", "blue", None), 1)] == [
        32,
        0,
        0,
    ]
    first = chained(None, ids[:16], "red")
    second = chained(first.key, ids[16:32], None)
    assert cache.hashes(0) == [first.key, second.key, None]


def test_hash_is_of_the_chain_not_of_the_tokens() -> None:
    cache = SpecCache(11)
    cache.alloc(0, [7] * 40)
    one, two, partial = cache.hashes(0)
    views = cache.cache.views()
    assert (one != two, partial) == (True, None)
    assert (views[0].parent, views[1].parent) == (None, one)


@pytest.mark.parametrize(("num_tokens", "hit"), [(32, 16), (33, 32), (47, 32)])
def test_at_least_the_last_token_is_computed_again(num_tokens: int, hit: int) -> None:
    """A whole block of it where the length is a multiple of the block size."""
    cache, ids = SpecCache(11), list(range(num_tokens))
    cache.alloc(0, ids)
    assert cache.alloc(1, ids) == hit


def test_request_that_skips_the_cache_reads_nothing_and_may_write_twins() -> None:
    cache, ids = SpecCache(11), list(range(33))
    cache.alloc(0, ids)
    assert cache.alloc(1, ids, use=False) == 0
    assert cache.hashes(0) == cache.hashes(1)
    assert not set(cache.blocks(0)) & set(cache.blocks(1))
    assert cache.cache.stats() == CacheStats(1, 33, 0)  # it did not ask


def test_free_queue_is_taken_at_the_front_and_left_from_the_middle() -> None:
    pool = BlockPool(5)
    pool.take(5)
    pool.release([0])
    pool.release([5 - 1, 4 - 1])  # the blank ones go to the front, tail first
    pool.release([2, 1])
    assert pool.free_queue == (1, 2, 3, 4, 0)
    pool.take(5)
    with pytest.raises(OutOfBlocks, match="0 of 5 are free"):
        pool.take(1)


def test_block_is_written_in_place_only_by_its_one_holder_and_without_a_hash() -> None:
    cache = CacheManager(8, 4)
    cache.admit("a", range(6), 6)
    cache.commit("a", range(6), 6)
    assert cache.writable("a", 6, 8) == ()  # the last block: one holder, no hash
    assert cache.writable("a", 0, 1) == ((0, 2),)  # it had a hash
    cache.fork("a", "b", 6)
    assert cache.writable("b", 6, 7) == ((1, 3),)  # it had two holders
    assert cache.writable("a", 6, 7) == ()  # and has one now


def test_hit_rate_of_a_window_is_the_difference_of_two_counts() -> None:
    """Ours counts from the beginning; whoever wants a window subtracts."""
    seen = [CacheStats(0, 0, 0)]
    for requests, queries, hits in ((1, 20, 9), (4, 80, 16), (1, 10, 2)):
        last = seen[-1]
        totals = (last.num_requests + requests, last.query_tokens + queries)
        seen.append(CacheStats(*totals, last.hit_tokens + hits))
    assert [stats.hit_rate for stats in seen[:3]] == [None, 0.45, 0.25]
    newest, first = seen[3], seen[1]  # the first request has left the window of five
    hits = newest.hit_tokens - first.hit_tokens
    assert hits / (newest.query_tokens - first.query_tokens) == 0.2


@pytest.mark.parametrize("block_size", [1, 2])
def test_prefixes_that_part_ways_share_what_they_have_in_common(
    block_size: int,
) -> None:
    """A radix tree splits a node; chained blocks have nothing to split."""
    cache = SpecCache(40, block_size)
    cache.alloc(0, [1, 2, 3, 4, 5, 6, 7, 8])
    cache.alloc(1, [1, 2, 9, 10])
    cache.free(0, 1)
    assert cache.cache.counts().cached * block_size == 10
    before = cache.cache.views()
    assert len(cache.cache.match([1, 2, 3, 4, 999, 1000])) * block_size == 4
    assert cache.cache.views() == before


def test_holding_moves_tokens_from_evictable_to_held_and_back() -> None:
    cache, seen = SpecCache(6, block_size=1), []
    cache.alloc(0, [1, 2, 3])
    cache.free(0)
    for act in (lambda: cache.alloc(1, [1, 2, 3, 4]), lambda: cache.free(1)):
        act()
        counts = cache.cache.counts()
        seen.append((counts.cached, counts.held, counts.free))
    assert seen == [(0, 4, 1), (4, 0, 1)]


def test_requests_under_other_salts_never_match_each_other() -> None:
    cache, ids = SpecCache(40, block_size=1), [1, 2, 3, 4]
    for salt in ("k1", "k2", None):
        assert cache.alloc(salt, ids, salt) == 0
    assert [cache.alloc(f"{s}again", ids, s) for s in ("k1", "k2", None)] == [3, 3, 3]
    assert len({cache.hashes(salt)[0] for salt in ("k1", "k2", None)}) == 3


@pytest.mark.parametrize("num_common", range(1, 12))
def test_match_is_a_whole_number_of_blocks(num_common: int) -> None:
    cache = SpecCache(11, block_size=4)
    cache.alloc(0, [1] * num_common + [2] * 8)
    hit = cache.alloc(1, [1] * num_common + [3] * 8)
    assert hit == num_common // 4 * 4


@pytest.mark.parametrize(("num_common", "hit"), [(77, 64), (51, 48), (47, 32)])
def test_hits_are_rounded_down_to_blocks_where_llama_cpp_counts_tokens(
    num_common: int, hit: int
) -> None:
    """Its 76, 51 and 47 cached tokens are 64, 48 and 32 in blocks of 16.

    It keeps one sequence's cache and cuts it at any token; a block that many may hold
    is known by all of its 16 tokens or not at all.
    """
    cache, ids = SpecCache(40), list(range(77))
    cache.alloc(0, ids)
    other = [] if num_common == 77 else [0] * 20
    assert cache.alloc(1, [*ids[:num_common], *other]) == hit


TESTS = {
    "prefill": test_prefill_hits_holds_and_frees_in_the_order_of_the_specification,
    "decode_fills_and_hashes": test_decode_fills_a_block_and_then_it_has_its_hash,
    "evict_lru": test_least_recently_used_is_evicted_first_and_tails_before_heads,
    "reuse_clears_hash": (
        test_cached_block_that_is_filled_in_part_has_no_hash_any_more
    ),
    "hit_blocks_not_evicted": (
        test_blocks_that_are_hit_are_not_evicted_for_the_same_request
    ),
    "no_side_effect_on_failure": (
        test_failed_allocation_changes_no_count_of_the_blocks_it_hit
    ),
    "reset_refused_while_in_use": (test_reset_is_refused_while_a_request_holds_blocks),
    "duplicate_hash": (
        test_evicting_one_of_two_equal_blocks_leaves_the_other_in_the_index
    ),
    "salt": test_salt_enters_the_first_hash_only_and_separates_all_blocks,
    "chain": test_hash_is_of_the_chain_not_of_the_tokens,
    "last_token_recomputed": test_at_least_the_last_token_is_computed_again,
    "prompt_logprobs_skip_cache": (
        test_request_that_skips_the_cache_reads_nothing_and_may_write_twins
    ),
    "free_queue": test_free_queue_is_taken_at_the_front_and_left_from_the_middle,
    "writable": (
        test_block_is_written_in_place_only_by_its_one_holder_and_without_a_hash
    ),
    "hit_rate_window": test_hit_rate_of_a_window_is_the_difference_of_two_counts,
    "radix_split": test_prefixes_that_part_ways_share_what_they_have_in_common,
    "radix_lock": test_holding_moves_tokens_from_evictable_to_held_and_back,
    "radix_extra_key": test_requests_under_other_salts_never_match_each_other,
    "radix_page_align": test_match_is_a_whole_number_of_blocks,
    "llama_cpp_cached_tokens": (
        test_hits_are_rounded_down_to_blocks_where_llama_cpp_counts_tokens
    ),
}
