"""Scrubbing through a real pool's frames, and looking into a block."""

from __future__ import annotations

import re

import pytest
import traitlets

from labkit.errors import ConfigError, InputError
from labkit.records import PoolFrame
from labkit.widgets import BlockMap
from labkit.widgets.block_map import Messages
from tests.support.pools import pool_frames

FRAMES = pool_frames()


class Recorded:
    """A pool whose steps were recorded; it refuses a prompt as an engine does."""

    def __init__(self, *frames: PoolFrame) -> None:
        self._rest = list(frames)
        self.asked: list[Messages] = []

    def step(self) -> PoolFrame | None:
        return self._rest.pop(0) if self._rest else None

    def ask(self, messages: Messages) -> PoolFrame | None:
        if not messages:
            raise InputError("the prompt has no tokens: give at least one")
        self.asked.append(messages)
        return self.step()


def test_newest_step_is_shown_first() -> None:
    widget = BlockMap(FRAMES, 4)
    assert widget.frame == 5
    assert widget.record().title.startswith("Step 5: 8 of 8 blocks held")


def test_slider_goes_back_to_what_was() -> None:
    widget = BlockMap(FRAMES, 4)
    widget.set_state({"frame": 1})
    assert widget.view["title"].startswith("Step 1: 4 of 8")
    assert widget.view["cells"][0]["label"] == "A+B"


def test_chosen_block_tells_its_tokens_and_chain_in_sentences() -> None:
    widget = BlockMap(FRAMES, 4, spell=lambda i: f"<{i}>")
    widget.set_state({"frame": 0, "selected": 1})
    assert widget.detail["tokens"] == ["<4>", "<5>", "<6>", "<7>"]
    assert (widget.detail["before"], widget.detail["after"]) == ([0], [])
    said = widget.detail["words"]
    assert said.startswith("Block 1 is held by A (req-0). 4 of its 4 slots are filled.")
    assert re.search("Its hash begins with [0-9a-f]{8} and contains [0-9a-f]{8}", said)


def test_detail_follows_the_step() -> None:
    widget = BlockMap(FRAMES, 4)
    widget.set_state({"frame": 0, "selected": 0})
    assert "it is the first of its prompt." in widget.detail["words"]
    widget.set_state({"frame": 4})
    assert (
        "is kept for reuse; 7 others are handed out before it"
        in (widget.detail["words"])
    )
    widget.set_state({"selected": None})
    assert widget.detail == {}


def test_free_block_says_when_it_is_handed_out() -> None:
    widget = BlockMap(FRAMES, 4).at(0)
    widget.selected = 3
    assert widget.detail["words"] == (
        "Block 3 is free; it is the next to be handed out. 0 of its 4 slots are "
        "filled. It has no hash, so it cannot be found."
    )


def test_map_opens_at_the_frame_that_is_asked_for_and_so_does_its_still() -> None:
    widget = BlockMap(FRAMES, 4).at(3)
    assert widget.view["copies"] == ((2, 4),)
    assert "dashed line: copied to" in widget.still()


def test_new_frame_is_shown_where_the_last_one_was() -> None:
    widget = BlockMap(FRAMES[:2], 4)
    widget.append(FRAMES[2])
    assert (widget.num_frames, widget.frame) == (3, 2)
    widget.frame = 0
    widget.append(FRAMES[3])
    assert (widget.num_frames, widget.frame) == (4, 0)


def test_button_steps_the_engine_until_it_has_nothing_to_do() -> None:
    widget = BlockMap(FRAMES[:1], 4, pool=Recorded(FRAMES[1]))
    widget.handle("step", {})
    assert (widget.frame, widget.note) == (1, "")
    widget.handle("step", {})
    assert (widget.frame, widget.note) == (1, "The engine has nothing to do.")
    widget.set_state({"frame": 0})
    assert widget.note == ""


def test_prompt_of_the_reader_is_put_into_the_pool_and_its_step_shown() -> None:
    pool = Recorded(FRAMES[1])
    widget = BlockMap(FRAMES[:1], 4, pool=pool)
    messages = [{"role": "user", "content": "Hi"}]
    widget.ask(messages)
    assert (pool.asked, widget.frame) == ([messages], 1)
    assert widget.note == "Your prompt is request B; run more engine steps."
    waiting = BlockMap(FRAMES[:2], 4, pool=Recorded(FRAMES[1]))
    waiting.ask(messages)
    assert waiting.note.startswith("Your prompt waits for free blocks")


def test_prompt_that_the_engine_refuses_is_a_note() -> None:
    widget = BlockMap(FRAMES[:1], 4, pool=Recorded())
    widget.ask([])
    assert widget.note == "the prompt has no tokens: give at least one."
    with pytest.raises(ConfigError, match="give it a pool="):
        BlockMap(FRAMES).ask([])


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
