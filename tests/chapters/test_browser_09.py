"""Chapter 9 as its reader uses it: Run All, every widget by keyboard, both themes."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.chapters.every import (  # noqa: F401  they are collected here as well
    test_axe_finds_no_fault_in_prose_and_outputs,
    test_every_widget_fits_a_small_screen,
)
from tests.support.browser import NotebookPage
from tests.support.colour import brightness

pytestmark = pytest.mark.browser

CHAPTER = "09_sampling.ipynb"
COLOURS = "n => (s => [s.color, s.backgroundColor])(getComputedStyle(n))"
WIDGETS = ("trace-bar", "predict", "verdict", "bench", "orders", "branches")


def test_every_cell_ran_and_every_claim_holds(book: NotebookPage) -> None:
    shown = book.page.locator(".jp-OutputArea-output")
    said = "\n".join(shown.all_text_contents())  # of cells out of sight too
    assert said.count("\N{CHECK MARK} ") >= 30
    assert "\N{BALLOT X}" not in said
    red = book.page.locator("[data-mime-type*='error'], [data-mime-type*='stderr']")
    assert red.count() == 0


def test_a_knob_and_a_stage_are_moved_on_the_real_vector(book: NotebookPage) -> None:
    cell = book.page.locator(".jp-Cell", has_text="temperature=0.8, top_p=0.95").first
    cell.scroll_into_view_if_needed()
    bench = cell.locator(".lab-bench")  # of two benches; the later may be drawn first
    title = bench.locator(".lab-title")
    expect(title).to_contain_text("survive")
    before = title.text_content() or ""  # inner_text() is empty while out of sight
    bench.get_by_role("slider", name="Temperature").press("End")
    expect(title).not_to_have_text(before)
    hot = title.text_content() or ""
    handle = bench.get_by_role("button", name="Move Temperature")
    for _ in range(4):  # below top-p and the others: the cut comes first now
        handle.press("ArrowDown")
    expect(bench.locator("output")).to_contain_text("temperature is now stage 8 of 8")
    assert survivors(title.text_content() or "") < survivors(hot)


def test_engines_agree_at_temperature_1_and_part_at_2(book: NotebookPage) -> None:
    orders = book.widget("orders")
    agreed = "All engines give the same distribution"
    expect(orders.locator(".lab-title")).to_have_text(agreed)
    slider = orders.get_by_role("slider", name="Temperature")
    for _ in range(10):
        slider.press("ArrowRight")
    expect(orders.locator(".lab-title")).to_contain_text("llama.cpp", timeout=15_000)


def test_another_candidate_is_taken_on_the_live_engine(book: NotebookPage) -> None:
    tree = book.widget("branches")
    answer = tree.get_by_role("listbox", name="Tokens of branch A")
    answer.get_by_role("option").first.focus()
    book.page.keyboard.press("Enter")
    expect(tree.get_by_role("button", name="Go on with").first).to_be_focused()
    book.page.keyboard.press("Enter")
    third = tree.get_by_role("listbox", name="Tokens of branch C")
    expect(third.get_by_role("option").first).to_be_focused(timeout=30_000)
    expect(tree.locator(".lab-title")).to_contain_text("3 branches filled")


def test_nothing_went_wrong_on_the_page(book: NotebookPage) -> None:
    book.check()


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_widgets_are_readable_in_both_themes(book: NotebookPage, theme: str) -> None:
    book.theme(theme)
    for name in WIDGETS:
        dark, light = sorted(map(brightness, book.widget(name).evaluate(COLOURS)))
        assert light - dark > 120, name


def survivors(title: str) -> int:
    """The first number of a bench's title."""
    found = re.match(r"[\d,]+", title)
    assert found is not None, title
    return int(found[0].replace(",", ""))
