"""BranchTree without a page: forks, refusals, what is told about blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from labkit.errors import ConfigError
from labkit.records import Branch
from labkit.widgets import BranchTree
from labkit.widgets.branches import MAX_BRANCHES
from tests.support.benches import TwoWays, word


def test_a_rejected_candidate_grows_a_branch_on_shared_blocks() -> None:
    source = TwoWays()
    tree = BranchTree(source, word)
    branch = tree.fork("b1", 1, 4)
    assert source.grown == [(None, 0, None), ("b1", 1, 4)]
    assert (branch.parent, branch.start) == ("b1", 1)
    title = "2 branches filled 3 blocks; without sharing they would fill 4"
    assert tree.record().title == tree.title == title
    assert [each["parent"] for each in tree.drawn] == ["", "b1"]
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
    assert tree.drawn[0]["blocks"] == [[7, ""], [8, "branch B"]]
    assert tree.drawn[1]["blocks"] == [[7, ""], [8, ""]]
    assert "filled 3 blocks" in tree.record().title


def test_what_leaves_later_stands_nearer_to_its_parent() -> None:
    tree = BranchTree(TwoWays(), word)
    tree.fork("b1", 1, 4)  # B
    tree.fork("b1", 2, 7)  # C
    tree.fork("b2", 2, 8)  # D leaves B
    tree.fork("b1", 1, 5)  # E leaves where B does
    assert "".join(each["letter"] for each in tree.drawn) == "ACBDE"
    assert [each["left"] for each in tree.drawn[3:]] == ["B at token 3", "A at token 2"]


def test_another_candidate_of_a_branchs_first_token_is_its_sibling() -> None:
    source = TwoWays()
    tree = BranchTree(source, word)
    tree.fork("b1", 1, 4)
    tree.fork("b2", 1, 5)
    assert source.grown[-1] == ("b1", 1, 5)
    assert [each["parent"] for each in tree.drawn] == ["", "b1", "b1"]


@pytest.mark.parametrize(("branch", "token_id"), [("b1", 4), ("b2", 4), ("b2", 3)])
def test_no_text_is_made_twice(branch, token_id) -> None:
    source = TwoWays()
    tree = BranchTree(source, word)
    tree.fork("b1", 1, 4)
    with pytest.raises(ConfigError, match=r"branch [AB] has token [34] at place 1"):
        tree.fork(branch, 1, token_id)
    assert len(source.grown) == len(tree.branches) == 2


def test_a_candidate_says_which_branch_has_taken_it() -> None:
    tree = BranchTree(TwoWays(), word)
    tree.fork("b1", 1, 4)
    for drawn, at in ((tree.drawn[0], 1), (tree.drawn[1], 0)):
        assert [taker for *_, taker in drawn["tokens"][at]["top"]] == ["b1", "b2", ""]


def test_a_branch_is_removed_with_all_that_leave_it() -> None:
    tree = BranchTree(TwoWays(), word)
    tree.fork("b1", 1, 4)
    tree.fork("b2", 2, 8)
    tree.fork("b1", 2, 7)
    tree.handle("remove", {"branch": "b2"})
    assert [each["letter"] for each in tree.drawn] == ["A", "D"]
    assert tree.fork("b1", 1, 4) in tree.branches
    assert [each["letter"] for each in tree.drawn] == ["A", "D", "B"]


def test_the_answer_itself_is_not_removed() -> None:
    tree = BranchTree(TwoWays(), word)
    tree.handle("remove", {"branch": "b1"})
    assert "it stays" in tree.problem
    assert len(tree.branches) == 1


def test_a_block_stays_lost_when_the_branch_that_took_it_goes() -> None:
    tree = BranchTree(OneSpareBlock(), word)
    tree.remove(tree.fork("b1", 1, 4).name)
    assert tree.drawn[0]["blocks"][1] == [8, "a branch that was removed"]


def test_a_removed_branchs_letter_is_free_and_its_blocks_do_not_change_hands() -> None:
    tree = BranchTree(OneSpareBlock(), word)
    tree.remove(tree.fork("b1", 1, 4).name)
    again = tree.fork("b1", 1, 5)
    assert again.name == "b3"
    assert [each["letter"] for each in tree.drawn] == ["A", "B"]
    assert tree.drawn[0]["blocks"][1] == [8, "branch B"]


def test_a_prompt_of_the_readers_own_starts_the_tree_anew() -> None:
    source = TwoWays()
    tree = BranchTree(source, word)
    tree.fork("b1", 1, 4)
    tree.ask([{"role": "user", "content": "Why?"}])
    assert source.heard == [[{"role": "user", "content": "Why?"}]]
    assert [each["letter"] for each in tree.drawn] == ["A"]
    assert tree.title.startswith("\u201cWhy?\u201d: One answer; ")
    assert tree.fork("b1", 1, 4) in tree.branches


class Interrupted(TwoWays):
    """What the reader does while the engine generates is done then."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: list[Callable[[], object]] = []

    def grow(self, parent: str | None, at: int, token_id: int | None) -> Branch:
        while self.meanwhile:
            self.meanwhile.pop()()
        return super().grow(parent, at, token_id)


def test_a_branch_whose_parent_was_removed_meanwhile_is_refused() -> None:
    source = Interrupted()
    tree = BranchTree(source, word)
    child = tree.fork("b1", 1, 4)
    source.meanwhile.append(lambda: tree.remove(child.name))
    with pytest.raises(ConfigError, match="was removed"):
        tree.fork(child.name, 2, 8)
    assert [each["letter"] for each in tree.drawn] == ["A"]


def test_the_same_candidate_asked_for_twice_is_generated_once() -> None:
    source = Interrupted()
    tree = BranchTree(source, word)
    again = {"branch": "b1", "at": 1, "id": 4}
    source.meanwhile.append(lambda: tree.handle("fork", again))
    tree.fork("b1", 1, 4)
    assert "is being generated" in tree.problem
    assert len(source.grown) == len(tree.branches) == 2


@pytest.mark.parametrize(
    ("branch", "at", "token_id", "words"),
    [
        ("b9", 0, 1, "no branch 'b9'"),
        ("b1", 4, 1, "places 0 to 3"),
        ("b1", 0, 0, "has token 0"),
        ("b1", 0, 9, "no candidate"),
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
    assert "no candidate" in tree.problem
    tree.handle("fork", {"branch": "b1", "at": 0, "id": 1})
    assert (tree.problem, len(tree.branches)) == ("", 2)


def fill(tree: BranchTree) -> None:
    """Fork until no more branches are allowed."""
    while len(tree.branches) < MAX_BRANCHES:
        last = tree.branches[-1]
        place = last.start + 1
        tree.fork(last.name, place, last.tokens[1].top[1][0])


def test_a_tree_does_not_grow_for_ever_but_makes_room_again() -> None:
    tree = BranchTree(TwoWays(), word)
    fill(tree)
    with pytest.raises(ConfigError, match="are enough"):
        tree.fork("b1", 0, 1)
    tree.remove(tree.branches[-1].name)
    assert tree.fork("b1", 0, 1) in tree.branches
