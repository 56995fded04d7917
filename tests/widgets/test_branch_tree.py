"""BranchTree without a page: forks, refusals, what is told about blocks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labkit.errors import ConfigError
from labkit.records import Branch
from labkit.widgets import BranchTree
from labkit.widgets.branch_tree import MAX_BRANCHES
from tests.support.benches import TwoWays, word


def test_a_rejected_candidate_grows_a_branch_on_shared_blocks() -> None:
    source = TwoWays()
    tree = BranchTree(source, word)
    branch = tree.fork("b1", 1, 4)
    assert source.asked == [(None, 0, None), ("b1", 1, 4)]
    assert (branch.parent, branch.start) == ("b1", 1)
    title = "2 branches filled 3 blocks; without sharing they would fill 4"
    assert tree.record().title == title
    assert [each["depth"] for each in tree.drawn] == [0, 1]
    assert tree.record().rows[1][1] == "A at token 2"


def test_what_is_read_to_go_on_is_told_apart_from_what_was_drawn() -> None:
    tree = BranchTree(TwoWays(), word)
    tree.fork("b1", 1, 4)
    assert [row[4] for row in tree.record().rows] == ["35 + 3", "3 + 2"]
    assert tree.drawn[1]["num_to_go_on"] == 3
    assert tree.drawn[1]["num_fed"] == 2


class OneSpareBlock(TwoWays):
    """Every fork writes its own text into the block that was written last."""

    def grow(self, parent: str | None, at: int, token_id: int | None) -> Branch:
        return replace(super().grow(parent, at, token_id), blocks=(7, 8))


def test_a_block_that_a_later_branch_took_over_is_marked_and_not_shared() -> None:
    tree = BranchTree(OneSpareBlock(), word)
    tree.fork("b1", 1, 4)
    assert tree.drawn[0]["blocks"] == [[7, ""], [8, "B"]]
    assert tree.drawn[1]["blocks"] == [[7, ""], [8, ""]]
    assert "filled 3 blocks" in tree.record().title


def test_a_branch_of_a_branch_knows_its_depth() -> None:
    tree = BranchTree(TwoWays(), word)
    tree.fork("b1", 1, 4)
    tree.fork("b2", 2, 8)
    assert [each["depth"] for each in tree.drawn] == [0, 1, 2]
    assert tree.drawn[2]["left"] == "B at token 3"


@pytest.mark.parametrize(
    ("branch", "at", "token_id", "words"),
    [
        ("b9", 0, 1, "no branch 'b9'"),
        ("b1", 4, 1, "places 0 to 3"),
        ("b1", 0, 0, "no rejected candidate"),
        ("b1", 0, 9, "no rejected candidate"),
    ],
)
def test_what_is_not_there_is_refused(branch, at, token_id, words) -> None:
    tree = BranchTree(TwoWays(), word)
    with pytest.raises(ConfigError, match=words):
        tree.fork(branch, at, token_id)
    assert len(tree.branches) == 1


def test_the_page_is_told_why_and_the_tree_stays() -> None:
    tree = BranchTree(TwoWays(), word)
    tree.handle("fork", {"branch": "b1", "at": 0, "id": 9})
    assert "no rejected candidate" in tree.problem
    tree.handle("fork", {"branch": "b1", "at": 0, "id": 1})
    assert (tree.problem, len(tree.branches)) == ("", 2)


def test_a_tree_does_not_grow_for_ever() -> None:
    tree = BranchTree(TwoWays(), word)
    for _ in range(MAX_BRANCHES - 1):
        tree.fork("b1", 0, 1)
    with pytest.raises(ConfigError, match="are enough"):
        tree.fork("b1", 0, 1)
