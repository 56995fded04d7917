"""Scrubbing through a real pool's frames, and looking into a block."""

from __future__ import annotations

import pytest
import traitlets

from labkit.errors import ConfigError
from labkit.records import PoolFrame
from labkit.widgets import BlockMap
from tests.support.pools import pool_frames

FRAMES = pool_frames()


def norms(frame: PoolFrame, block: int) -> list[list[float]]:
    """Two layers; the second twice as long, growing by slot."""
    return [
        [slot + 1.0, 2 * (slot + 1.0)] for slot in range(frame.blocks[block].num_filled)
    ]


def test_newest_step_is_shown_first() -> None:
    widget = BlockMap(FRAMES, 4)
    assert widget.frame == 5
    assert widget.record().title.startswith("Step 5: 8 of 8 blocks held")


def test_slider_goes_back_to_what_was() -> None:
    widget = BlockMap(FRAMES, 4)
    widget.set_state({"frame": 1})
    assert widget.view["title"].startswith("Step 1: 4 of 8")
    assert widget.view["cells"][0]["label"] == "A+B"


def test_chosen_block_tells_its_tokens_chain_and_norms() -> None:
    widget = BlockMap(FRAMES, 4, spell=lambda i: f"<{i}>", norms=norms)
    widget.set_state({"frame": 0, "selected": 1})
    assert widget.detail["tokens"] == ["<4>", "<5>", "<6>", "<7>"]
    assert (widget.detail["before"], widget.detail["after"]) == ([0], [])
    assert widget.detail["norms"]["shares"] == [[0.0, 0.333, 0.667, 1.0]] * 2
    assert "held by A (req-0); 1 holder; 4 of 4 slots" in widget.detail["words"]


def test_detail_follows_the_step() -> None:
    widget = BlockMap(FRAMES, 4)
    widget.set_state({"frame": 0, "selected": 0})
    widget.set_state({"frame": 4})
    assert "kept for reuse; 0 holders" in widget.detail["words"]
    widget.set_state({"selected": None})
    assert widget.detail == {}


def test_block_without_keys_has_no_norms() -> None:
    widget = BlockMap(FRAMES, 4, norms=norms).at(0)
    widget.selected = 7
    assert widget.detail["norms"] is None


def test_map_opens_at_the_frame_that_is_asked_for_and_so_does_its_still() -> None:
    widget = BlockMap(FRAMES, 4).at(3)
    assert widget.view["copies"] == ((2, 4),)
    assert "dashed line: copied to" in widget.still()


def test_uses_are_counted_not_timed() -> None:
    widget = BlockMap(FRAMES, 4).at(0)
    widget.selected = 2
    assert widget.detail["words"].endswith("last use no. 3.")


def test_new_frame_is_shown_where_the_last_one_was() -> None:
    widget = BlockMap(FRAMES[:2], 4)
    widget.append(FRAMES[2])
    assert (widget.num_frames, widget.frame) == (3, 2)
    widget.frame = 0
    widget.append(FRAMES[3])
    assert (widget.num_frames, widget.frame) == (4, 0)


def test_button_steps_the_engine_until_it_has_nothing_to_do() -> None:
    rest: list[PoolFrame] = [FRAMES[1]]
    widget = BlockMap(FRAMES[:1], 4, step=lambda: rest.pop() if rest else None)
    widget.handle("step", {})
    assert (widget.frame, widget.note) == (1, "")
    widget.handle("step", {})
    assert (widget.frame, widget.note) == (1, "The engine has nothing to do.")
    widget.set_state({"frame": 0})
    assert widget.note == ""


def test_what_is_not_there_is_refused() -> None:
    widget = BlockMap(FRAMES, 4)
    with pytest.raises(traitlets.TraitError, match="use 0 to 5"):
        widget.frame = 6
    with pytest.raises(traitlets.TraitError, match="use 0 to 7"):
        widget.selected = 8
    with pytest.raises(ConfigError, match="record at least one step"):
        BlockMap([])
    with pytest.raises(ConfigError, match="knows no message"):
        widget.handle("step", {})
