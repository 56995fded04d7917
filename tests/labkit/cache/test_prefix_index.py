"""Hashes as chains, blocks under their hashes, and the damage that check finds."""

from __future__ import annotations

from typing import Any

import pytest

from labkit.cache.prefix_index import Hashed, PrefixIndex, chained


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
def test_check_names_each_kind_of_damage(blocks: dict[str, Any], sentence: str) -> None:
    index = PrefixIndex(2)
    index._blocks = blocks
    with pytest.raises(AssertionError, match=sentence):
        index.check()


def test_what_a_hashed_block_holds_can_be_looked_at() -> None:
    index = PrefixIndex(2)
    hashed = chained("ab", [7, 8])
    index.put(0, hashed)
    assert index.get(0) == Hashed(hashed.key, "ab", (7, 8))
