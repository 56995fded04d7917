"""Chapter 8 as its reader uses it: Run All, the debugger by keyboard, both themes."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.chapters.every import (  # noqa: F401  they are collected here as well
    test_axe_finds_no_fault_in_prose_and_outputs,
    test_every_widget_fits_a_small_screen,
)
from tests.support.browser import NotebookPage
from tests.support.colour import brightness

pytestmark = pytest.mark.browser

CHAPTER = "08_prefill_decode.ipynb"
COLOURS = "n => (s => [s.color, s.backgroundColor])(getComputedStyle(n))"
RUN_AGAIN = """async words => {
  const { commands, shell } = window.jupyterapp;
  const notebook = shell.currentWidget.content;
  const isMeant = ({ model }) =>
    model.type === 'code' && model.sharedModel.source.includes(words);
  const found = notebook.widgets.flatMap((cell, i) => (isMeant(cell) ? [i] : []));
  for (const i of found) {
    notebook.deselectAll();
    notebook.activeCellIndex = i;
    await commands.execute('notebook:run-cell');
  }
  return found.length;
}"""
WIDGETS = ("trace-bar", "predict", "scheduler", "verdict")


def test_every_cell_ran_and_every_claim_holds(book: NotebookPage) -> None:
    shown = book.page.locator(".jp-OutputArea-output")
    said = "\n".join(shown.all_text_contents())  # of cells out of sight too
    assert said.count("\N{CHECK MARK} ") >= 33
    assert "\N{BALLOT X}" not in said
    red = book.page.locator("[data-mime-type*='error'], [data-mime-type*='stderr']")
    assert red.count() == 0


def test_a_number_is_predicted_and_then_answered(book: NotebookPage) -> None:
    card, verdict = book.widget("predict"), book.widget("verdict")
    card.get_by_role("spinbutton").fill("30")
    card.get_by_role("button", name="Lock my guess").press("Enter")
    expect(verdict.locator("output")).to_contain_text("You said 30 tokens. Answer: ")


def test_the_plot_of_the_book_has_its_bounds_and_points(book: NotebookPage) -> None:
    figure = book.widget("figure")
    lines = figure.locator(".scatterlayer .trace")
    expect(lines).to_have_count(3, timeout=60_000)
    expect(figure).to_contain_text("Up to ")


def debugger(book: NotebookPage) -> Locator:
    """The first of two, found by its cell: the later one may be drawn first."""
    makes = "follow(SchedulerDebugger(source, source.times_s"
    cells = book.page.locator(".jp-Cell").filter(
        has_text=makes, has_not_text="compared"
    )
    cells.first.scroll_into_view_if_needed()
    view = cells.first.locator(".lab-scheduler")
    view.wait_for(timeout=30_000)
    return view


def test_the_scheduler_is_stepped_and_run_again(book: NotebookPage) -> None:
    view = debugger(book)
    plan = view.locator(".lab-plan")
    before = plan.inner_text()
    view.get_by_role("slider").focus()
    book.page.keyboard.press("ArrowRight")
    expect(plan).not_to_have_text(before)
    view.get_by_label("Tokens a step (chunk)").select_option("256")
    view.get_by_label("Policy").select_option("prefill-first")
    view.get_by_role("button", name="Run the same arrivals").press("Enter")
    title = view.locator(".lab-title")
    expect(title).to_contain_text("with prefill-first, 256 tokens a step")
    view.get_by_role("button", name="Compare with this run").press("Enter")
    expect(title).not_to_contain_text("decode-first")


def test_slider_and_bars_of_two_compared_runs_are_on_one_screen(
    book: NotebookPage,
) -> None:
    compared = book.page.locator(".lab-scheduler").last
    compared.scroll_into_view_if_needed()
    expect(compared.locator("thead th")).to_have_text(["before", "after"])
    before = book.page.viewport_size
    book.page.set_viewport_size({"width": 1280, "height": 720})
    assert compared.evaluate("node => node.getBoundingClientRect().height") < 560
    book.page.set_viewport_size(before or {"width": 1400, "height": 1000})


def test_cells_below_the_scheduler_say_the_same_whatever_a_reader_did_with_it(
    book: NotebookPage,
) -> None:
    view = debugger(book)
    view.get_by_label("Tokens a step (chunk)").select_option("64")
    view.get_by_role("button", name="Run the same arrivals").press("Enter")
    expect(view.locator(".lab-title")).to_contain_text("64 tokens a step")
    view.get_by_role("button", name="Compare with this run").press("Enter")
    expect(view.locator("thead th")).to_have_text(["this run"])
    assert book.page.evaluate(RUN_AGAIN, "worst_gap_ms") >= 5
    book.wait_idle()
    said = "\n".join(book.page.locator(".jp-OutputArea-output").all_text_contents())
    assert "A budget of 128 more than halves the worst gap." in said
    assert "\N{BALLOT X}" not in said


def test_too_few_blocks_are_told_in_words(book: NotebookPage) -> None:
    view = debugger(book)
    view.get_by_role("spinbutton", name="Blocks").fill("8")
    view.get_by_role("button", name="Run the same arrivals").press("Enter")
    expect(view.locator(".lab-note")).to_contain_text("use at least 63 blocks")
    book.check()


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_widgets_are_readable_in_both_themes(book: NotebookPage, theme: str) -> None:
    book.theme(theme)
    for name in WIDGETS:
        dark, light = sorted(map(brightness, book.widget(name).evaluate(COLOURS)))
        assert light - dark > 120, name
