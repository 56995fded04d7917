"""SchedulerDebugger without a page: what it asks, what it keeps, what it refuses."""

from __future__ import annotations

import pytest
import traitlets

from labkit.config import EngineConfig
from labkit.errors import ConfigError, NeverFits
from labkit.widgets import SchedulerDebugger
from tests.support.schedules import ARRIVALS, Again


def made(**config: int) -> SchedulerDebugger:
    return SchedulerDebugger(Again(), ARRIVALS, EngineConfig(**config))


def test_the_first_run_is_shown_at_once() -> None:
    widget = made(max_step_tokens=80)
    words = ("decode-first", "80 tokens a step", "32 at once", "256 blocks")
    assert [run["setup"] for run in widget.runs] == [words]
    assert widget.before is widget.after
    assert widget.title == f"The worst gap is 91 ms with {', '.join(words)}"


def test_a_rerun_keeps_the_first_run_and_changes_one_knob() -> None:
    source = Again()
    widget = SchedulerDebugger(source, ARRIVALS, EngineConfig(max_step_tokens=80))
    after = widget.rerun(max_step_tokens=20)
    assert source.asked[-1] == EngineConfig(max_step_tokens=20)
    assert (widget.before.worst_gap_ms, after.worst_gap_ms) == pytest.approx((91, 31))
    assert widget.shown == "after"
    assert widget.knobs["max_step_tokens"] == 20


def test_knobs_add_up_from_rerun_to_rerun() -> None:
    widget = made()
    widget.rerun(max_step_tokens=20)
    widget.rerun(policy="prefill-first")
    assert (widget.knobs["policy"], widget.knobs["max_step_tokens"]) == (
        "prefill-first",
        20,
    )


def test_keep_compares_with_the_last_run_from_then_on() -> None:
    widget = made(max_step_tokens=80)
    widget.rerun(max_step_tokens=20)
    widget.keep()
    assert len(widget.runs) == 1
    assert widget.before.worst_gap_ms == pytest.approx(31)


def test_what_the_engine_would_refuse_is_told_and_the_last_run_stands() -> None:
    widget = made(max_step_tokens=80)
    widget._receive(0, {"op": "rerun", "knobs": {"num_blocks": 0}}, [])
    assert widget.problem == "Blocks: use a whole number above 0, not 0"
    assert len(widget.runs) == 1
    widget._receive(0, {"op": "rerun", "knobs": {"max_step_tokens": 40}}, [])
    assert widget.problem == ""
    assert len(widget.runs) == 2


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "use a whole number above 0, it is empty"),
        (0, "use a whole number above 0, not 0"),
        (2.5, "use a whole number above 0, not 2.5"),
        (10**9, "use at most 4,096, not 1,000,000,000"),
    ],
)
def test_a_field_of_the_page_without_a_number_is_named_by_its_label(value, why) -> None:
    widget = made()
    widget._receive(0, {"op": "rerun", "knobs": {"max_running": value}}, [])
    assert widget.problem == f"Sequences at once: {why}"
    assert len(widget.runs) == 1


def test_the_page_learns_which_gaps_are_the_worst() -> None:
    (run,) = made(max_step_tokens=80).runs
    chat, book = run["gaps"]
    assert chat == pytest.approx((20.0, 111.0))
    assert book is None


def test_an_unknown_knob_is_named() -> None:
    with pytest.raises(ConfigError, match="did you mean max_running"):
        made().rerun(max_runing=3)
    with pytest.raises(ConfigError, match="at least one"):
        SchedulerDebugger(Again(), {})


def test_step_stays_within_the_run_and_after_needs_a_rerun() -> None:
    widget = made(max_step_tokens=80)
    widget.step = 99
    assert widget.step == 2
    with pytest.raises(traitlets.TraitError, match="no such run yet"):
        widget.shown = "after"


ASKED = [{"role": "user", "content": "one two three"}]


class Counting(Again):
    """Takes a prompt of the reader's own; a long one fits nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.times_s = {**ARRIVALS, "you": 10.02}

    def with_prompt(self, messages):
        if len(messages) > 1:
            raise NeverFits("you needs 9 tokens, and 1 block holds 4: use 3 blocks")
        return self


def test_a_prompt_of_the_readers_own_arrives_as_well() -> None:
    widget = SchedulerDebugger(Counting(), ARRIVALS, EngineConfig())
    widget.rerun(max_step_tokens=20)
    widget.ask(ASKED)
    assert [lane["name"] for lane in widget.runs[0]["lanes"]] == ["chat", "book", "you"]
    assert len(widget.runs) == 1
    assert widget.knobs["max_step_tokens"] == 20


def test_a_prompt_that_fits_nowhere_is_told_and_the_last_run_stands() -> None:
    widget = SchedulerDebugger(Counting(), ARRIVALS, EngineConfig())
    widget.ask([*ASKED, *ASKED])
    assert "use 3 blocks" in widget.problem
    assert len(widget.runs[0]["lanes"]) == 2
    without = made()
    without.ask(ASKED)
    assert "takes no prompt" in without.problem


def test_page_and_still_tell_the_same_numbers() -> None:
    widget = made(max_step_tokens=80)
    widget.rerun(max_step_tokens=20)
    drawing = widget.record()
    assert widget.title == drawing.title
    assert widget.facts == [list(row) for row in drawing.facts]
    assert "before" in widget.still()
