"""Branches on a tiny engine: what is shared, what is read, what stands at the fork."""

from __future__ import annotations

import pytest

from labkit.errors import InputError
from labkit.labs.sampling.branching import Brancher, closest_call
from labkit.labs.sampling.logits import prompt_ids
from labkit.records import Branch, BranchToken
from tests.support.engines import HELLO, tiny_engine


def other(branch, place: int) -> int:
    """A candidate that was not chosen at `place` of the branch."""
    return next(
        i for i, _ in branch.tokens[place].top if i != branch.tokens[place].token_id
    )


def test_the_first_branch_is_the_greedy_answer() -> None:
    brancher = Brancher(tiny_engine(), HELLO, max_tokens=6)
    branch = brancher.grow(None, 0, None)
    assert (branch.parent, branch.start, branch.num_shared) == (None, 0, 0)
    assert branch.tokens[0].token_id == branch.tokens[0].top[0][0]
    assert branch.num_computed == len(HELLO) + len(branch.tokens) - 1


@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_fork_shares_full_blocks_and_reads_only_the_rest(place: int) -> None:
    engine = tiny_engine()  # blocks of 4
    brancher = Brancher(engine, HELLO, max_tokens=6)
    answer = brancher.grow(None, 0, None)
    token_id = other(answer, place)
    branch = brancher.grow(answer.name, place, token_id)
    assert branch.tokens[0].token_id == token_id
    assert branch.tokens[0].logprob == dict(answer.tokens[place].top)[token_id]
    assert branch.num_shared == (len(HELLO) + place) // 4
    assert branch.blocks[: branch.num_shared] == answer.blocks[: branch.num_shared]
    unread = len(HELLO) + place + 1 - 4 * branch.num_shared
    assert branch.num_computed == unread + len(branch.tokens) - 2
    engine.check()


def test_a_branch_of_a_branch_keeps_its_whole_line() -> None:
    brancher = Brancher(tiny_engine(), HELLO, max_tokens=5)
    answer = brancher.grow(None, 0, None)
    child = brancher.grow(answer.name, 1, other(answer, 1))
    grandchild = brancher.grow(child.name, 2, other(child, 1))
    assert grandchild.start == 2
    assert grandchild.parent == child.name


def a_branch(*tops: tuple[tuple[int, float], ...]) -> Branch:
    tokens = tuple(BranchToken(top[0][0], top[0][1], top) for top in tops)
    return Branch("b", None, 0, tokens, (), 0, 0)


CALLS = a_branch(
    ((1, -0.1), (2, -0.3)),  # the likeliest second candidate
    ((3, -2.0), (4, -2.1)),  # the smallest gap
    ((5, -2.0), (9, -2.05)),  # smaller still, but 9 ends the text
)


def test_the_closest_call_is_the_smallest_gap_not_the_likeliest_second() -> None:
    assert closest_call(CALLS, ends={9}) == 1


def test_a_call_that_ends_the_text_counts_if_no_end_is_named() -> None:
    assert closest_call(CALLS) == 2


def test_a_candidate_or_parent_that_is_not_there_is_refused() -> None:
    brancher = Brancher(tiny_engine(), HELLO, max_tokens=4, num_candidates=2)
    answer = brancher.grow(None, 0, None)
    shown = {token_id for token_id, _ in answer.tokens[0].top}
    missing = next(i for i in range(200) if i not in shown)
    with pytest.raises(InputError, match="is no candidate there"):
        brancher.grow(answer.name, 0, missing)
    with pytest.raises(InputError, match="is not here"):
        brancher.grow("nobody", 0, missing)


def test_other_messages_give_a_tree_of_the_same_size_on_the_same_engine() -> None:
    engine = tiny_engine()
    messages = [{"role": "user", "content": "hello"}]
    brancher = Brancher(engine, HELLO, max_tokens=5, num_candidates=3).asked(messages)
    answer = brancher.grow(None, 0, None)
    assert len(answer.tokens) <= 5
    assert len(answer.tokens[0].top) == 3
    read = len(prompt_ids(engine, messages)) + len(answer.tokens) - 1
    assert answer.num_computed == read
