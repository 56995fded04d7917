"""Frames of a real pool as cells, letters and sentences."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

import pytest

from labkit.figures.blocks import WORDS, BlockGrid, block_grid, chain_of, owners_of
from labkit.figures.stills import svg
from labkit.records import BlockEventKind, BlockView, PoolFrame
from tests.support.pools import SIZE, pool_frames

FRAMES = pool_frames()
OWNERS = owners_of(FRAMES)


def grid(step: int) -> BlockGrid:
    return block_grid(FRAMES[step], OWNERS, SIZE, spell=lambda i: f"t{i}")


def test_owners_keep_their_letter_through_all_steps() -> None:
    letters = [owner.letter for owner in OWNERS.values()]
    assert list(OWNERS) == ["req-0", "req-1", "fork", "big"]
    assert letters == ["A", "B", "C", "D"]


def test_neighbouring_owners_differ_in_colour_and_in_pattern() -> None:
    for one, other in pairwise(OWNERS.values()):
        assert one.layer is not other.layer
        assert one.pattern != other.pattern


def test_shared_prefix_has_both_letters_and_two_holders() -> None:
    shared = grid(1).cells[0]
    assert (shared.label, shared.ref_count, shared.marks) == ("A+B", 2, ("hit",))
    assert grid(1).cells[3].label == "B"


def test_copy_on_write_is_an_arrow_and_a_sentence() -> None:
    assert grid(3).copies == ((2, 4),)
    assert "Block 4 was copied on write from block 2 for C." in grid(3).events


def test_kept_blocks_are_told_from_free_ones() -> None:
    states = [cell.state for cell in grid(4).cells]
    assert (states.count("kept"), states.count("free")) == (2, 6)
    assert grid(4).title.startswith("Step 4: 0 of 8 blocks held, 2 kept")


def test_evicted_block_says_so_inside_and_in_a_sentence() -> None:
    assert grid(5).cells[0].marks == ("evicted", "full")
    assert any("evicted" in words for words in grid(5).events)


def test_a_block_is_given_back_by_its_holder() -> None:
    assert "Blocks 3, 1, 0 were released by B." in grid(4).events


def test_still_of_a_copy_has_a_dashed_line_and_a_legend_for_it() -> None:
    assert "dashed line: copied to" in svg(grid(3))
    assert "dashed line: copied to" not in svg(grid(4))
    assert svg(grid(3)).count('stroke-dasharray="5 4"') == 1


def test_every_event_has_a_word_of_its_own() -> None:
    assert set(WORDS) == set(BlockEventKind)
    assert len({words.mark for words in WORDS.values()}) == len(WORDS)


def test_number_of_shared_blocks_is_a_sentence() -> None:
    assert grid(0).alt.startswith("No block is shared. ")
    assert grid(1).alt.startswith("2 blocks are shared. ")


def test_tokens_stand_inside_their_block_in_the_picture_and_in_the_still() -> None:
    assert grid(0).cells[1].tokens == ("t4", "t5", "t6", "t7")
    assert "t4 t5 t6" in svg(grid(0))


def test_more_tokens_than_fit_into_a_cell_of_the_still_end_in_an_ellipsis() -> None:
    words = [f"number-{i:02}" for i in range(16)]
    view = BlockView(0, 1, ("a",), 16, tuple(range(16)))
    frame = PoolFrame(0, (view,))
    still = svg(block_grid(frame, owners_of([frame]), 16, words.__getitem__))
    assert "number-04" not in still
    assert "number-03…" in still


def test_hash_chain_goes_back_to_the_first_block_and_on_to_the_next() -> None:
    last = FRAMES[5]
    order = [3, 4, 2, 5, 6, 7, 1, 0]  # as the request took them
    before, after = chain_of(last, order[3])
    assert before == tuple(order[2::-1])
    assert after == (order[4],)


def test_chain_that_bites_its_tail_ends() -> None:
    views = (
        BlockView(0, 1, ("a",), 4, hash="x", parent="y"),
        BlockView(1, 1, ("a",), 4, hash="y", parent="x"),
    )
    assert chain_of(PoolFrame(0, views), 0) == ((1,), (1,))


@pytest.mark.parametrize("step", range(len(FRAMES)))
def test_still_shows_every_block_once(step) -> None:
    texts = [n.text for n in ElementTree.fromstring(svg(grid(step))).iter()]
    assert [t for t in texts if t in list("01234567")] == list("01234567")
