"""The lock on answers, in a real kernel: what it hides, when it opens, and what not."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.book.gate import Gate, current_gate, veil_words
from labkit.book.show import Prose
from labkit.widgets.predict import Predict
from tests.support.cells import ROOT, Shown, run_cells

CELLS = (
    "from labkit.book import claim, start\nlab = start(chapter=7)",
    "guess = lab.predict('How many?', between=(0, 10))\nguess",
    "claim('There are 7 in all.', True)\nclaim('7 * 2 is *14*.', True)",
    "lab.table(['n'], [['7 of them']])",
    "lab.md('We counted **7**.')",
    "guess.reveal(7)",
    "claim('There are 8 in all.', 7 == 8)",
    "from labkit.widgets import MarkdownRace\nMarkdownRace('# seven 7')",
    "lab.show(MarkdownRace('# open 7'))",
    "shown = lab.table(['n'], [['7, in a name']])\ndisplay(shown)",
    "other = lab.predict('Which?', ['a', 'b'])\nlab.md('behind b')",
    "lab.section()\nlab.md('open: 7')",
)
FIGURE = """\
from labkit.figures.drawings import Lines, Series
from labkit.records import Layer
from labkit.widgets.figure import LiteFigure
LiteFigure(Lines("7", "7.", "x", "y", (Series("a", (1,), (7,), Layer.CACHE),)))"""
HIDDEN = "Hidden until you lock your guess on “How many?” above, or skip it."
VEILED = (2, 3, 4, 9)  # the text outputs behind the first question


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> list[Shown]:
    return run_cells(CELLS, tmp_path_factory.mktemp("closed"))


def test_below_an_open_question_text_is_hidden(closed: list[Shown]) -> None:
    assert {closed[i].plain for i in VEILED} == {HIDDEN}


def test_a_widget_below_an_open_question_has_no_still(closed: list[Shown]) -> None:
    assert closed[7].plain == HIDDEN
    assert "<img" not in closed[7].html


def test_a_widget_that_gives_nothing_away_is_shown(closed: list[Shown]) -> None:
    assert "<img" in closed[8].html


def test_a_false_claim_behind_a_closed_lock_fails_its_cell(closed: list[Shown]) -> None:
    assert closed[6].error.startswith("ClaimFailed: ✗ There are 8 in all.")


def test_the_answer_is_a_click_away_without_a_kernel(closed: list[Shown]) -> None:
    assert closed[5].html.startswith("<details><summary>Answer</summary>")


def test_each_question_hides_its_own_section(closed: list[Shown]) -> None:
    assert "on “Which?” above" in closed[10].plain
    assert closed[11].plain == "open: 7"


def test_a_figure_of_plotly_is_hidden_as_well(tmp_path: Path) -> None:
    shown = run_cells((*CELLS[:2], FIGURE, "guess.skip()", FIGURE), tmp_path)
    assert (shown[2].plain, shown[2].error) == (HIDDEN, "")
    assert "<img" in shown[4].html


@pytest.mark.parametrize("close", ["guess.lock(7)", "guess.skip()"])
def test_a_lock_or_a_skip_shows_all_where_it_stands(close: str, tmp_path: Path) -> None:
    shown = run_cells((*CELLS, close), tmp_path)
    assert shown[2].plain == "✓ There are 7 in all.\n✓ 7 * 2 is *14*."
    assert shown[3].plain == "n\n7 of them"
    assert shown[4].plain == "We counted **7**."
    assert "on “Which?” above" in shown[10].plain


def test_a_cell_that_runs_again_keeps_the_locked_guess(tmp_path: Path) -> None:
    cells = (*CELLS[:2], "guess.lock(3)", CELLS[1], "print(guess.locked)", CELLS[4])
    shown = run_cells(cells, tmp_path)
    assert shown[4].plain.strip() == "3"
    assert shown[5].plain == "We counted **7**."


def test_the_opening_is_open_and_says_what_is_done(tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(ROOT / "chapters" / "data")
    again = (CELLS[1], "guess.lock(3)", "lab.opening()")
    shown = run_cells((CELLS[0], *again), tmp_path)[3]
    assert shown.html.count("<img") == 2  # the bar and the box
    assert "So far in this chapter: 1 guess, 0 of " in shown.plain


def test_the_opening_counts_a_guess_when_it_is_locked(tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(ROOT / "chapters" / "data")
    cells = (CELLS[0], "lab.opening()", CELLS[1], "guess.lock(3)")
    assert (
        "So far in this chapter: 0 guesses" in run_cells(cells[:3], tmp_path)[1].plain
    )
    assert "So far in this chapter: 1 guess," in run_cells(cells, tmp_path)[1].plain


def test_a_new_kernel_has_the_guess_that_was_locked(tmp_path: Path) -> None:
    answer = "guess.reveal(7)"
    run_cells(
        (*CELLS[:2], answer, "guess.lock(3)", CELLS[10], "other.skip()"), tmp_path
    )
    again = (*CELLS[:2], "print(guess.locked)", *CELLS[10:11], "guess.again()")
    shown = run_cells(again, tmp_path)
    assert shown[2].plain.strip() == "3"
    assert shown[3].plain == "behind b"
    kept = (tmp_path / "progress.json").read_text(encoding="utf-8")
    assert "How many?" not in kept
    assert run_cells((*CELLS[:2], CELLS[4]), tmp_path)[2].plain == HIDDEN


def test_builds_and_tests_run_unlocked(tmp_path: Path) -> None:
    shown = run_cells(CELLS, tmp_path, {"LAB_UNLOCKED": "1"})
    assert not [one for one in shown if "Hidden until" in one.plain + one.html]
    assert shown[2].plain == "✓ There are 7 in all.\n✓ 7 * 2 is *14*.\n"
    assert "<img" in shown[7].html


def test_without_a_notebook_nothing_is_hidden() -> None:
    gate = current_gate()
    gate.install()
    gate.begin(Predict("How many?", between=(0, 10)))
    assert gate.question is None
    assert gate.line("✓ shown") is False
    content = Prose("7", "7")
    assert gate.prose(content) is content


def test_a_closed_card_hides_nothing() -> None:
    gate, card = Gate(is_unlocked=False), Predict("How many?", between=(0, 10))
    gate.begin(card)
    assert gate.question == "How many?"
    card.skip()
    assert gate.question is None
    card.again()
    assert gate.question == "How many?"
    assert veil_words("How many?") == HIDDEN


STREAM = """from labkit.book import start
from labkit.widgets import StreamView
from tests.support.requests import chunks
from tests.support.streams import ScriptedSource
lab = start(chapter=10)
view = StreamView(ScriptedSource(chunks()), [{"role": "user", "content": "hello"}])
lab.show(view)
view.run()"""


def test_a_built_chapter_keeps_the_still_of_a_stream_that_has_ended(
    tmp_path: Path,
) -> None:
    (shown,) = run_cells([STREAM], tmp_path, {"LAB_UNLOCKED": "1"})
    assert shown.error == ""
    assert "10 pieces of text, the first after 120.0 ms" in shown.plain
    assert "no text yet" not in shown.plain
