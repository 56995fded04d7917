"""Chapter 7 as its reader uses it: Run All, every widget by keyboard, both themes."""

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

CHAPTER = "07_cache.ipynb"
COLOURS = "n => (s => [s.color, s.backgroundColor])(getComputedStyle(n))"
WIDGETS = ("trace-bar", "predict", "block-map", "prefix-miss", "kv", "verdict")


def test_every_cell_ran_and_every_claim_holds(book: NotebookPage) -> None:
    shown = book.page.locator(".jp-OutputArea-output")
    said = "\n".join(shown.all_text_contents())  # of cells out of sight too
    assert said.count("\N{CHECK MARK} ") >= 40
    assert "\N{BALLOT X} " not in said
    red = book.page.locator("[data-mime-type*='error'], [data-mime-type*='stderr']")
    assert red.count() == 0


def test_pool_is_scrubbed_back_and_a_block_is_opened(book: NotebookPage) -> None:
    pool = book.widget("block-map")
    pool.get_by_role("slider").focus()
    book.page.keyboard.press("Home")
    book.page.keyboard.press("ArrowRight")
    expect(pool.locator(".lab-title")).to_contain_text("Step 1: 9 of 40 blocks held")
    expect(pool.get_by_role("slider")).to_have_attribute("aria-valuetext", "1 of 12")
    first = pool.get_by_role("option").first
    first.focus()
    book.page.keyboard.press("Enter")
    expect(pool.locator(".lab-tokens span").first).to_have_text("<|im_start|>")
    expect(pool.locator(".lab-detail-words")).to_contain_text("is held by A (ours)")


def test_map_opens_at_a_copy_on_write_and_shows_who_holds_the_copy(
    book: NotebookPage,
) -> None:
    pool = book.widget("block-map")
    pool.get_by_role("slider").fill("4")
    expect(pool.locator(".lab-lines .lab-copy")).to_have_count(1)
    pool.get_by_role("option").nth(14).press("Enter")
    expect(pool.locator(".lab-detail-words")).to_contain_text("is held by C (fork)")


def test_live_pool_goes_on_until_nothing_is_left_to_do(book: NotebookPage) -> None:
    pool = book.widget("block-map")
    button = pool.get_by_role("button", name="Run one engine step")
    for step in range(13, 19):
        button.press("Enter")
        expect(pool.locator(".lab-title")).to_contain_text(
            f"Step {step}:", timeout=15_000
        )
    button.press("Enter")
    expect(pool.locator(".lab-note")).to_have_text("The engine has nothing to do.")
    pool.get_by_role("slider").press("ArrowLeft")
    expect(pool.locator(".lab-note")).to_have_text("")


def test_prompts_are_run_on_the_engine_from_the_page(book: NotebookPage) -> None:
    view = book.widget("prefix-miss")
    view.get_by_label("Example").focus()
    book.page.keyboard.press("ArrowDown")
    expect(view.locator(".lab-title")).to_contain_text("96.9% is a hit")
    view.get_by_role("button", name="Run both").press("Enter")
    told = re.compile("528 tokens of the second prompt came from the cache")
    expect(view.locator("output")).to_contain_text(told, timeout=120_000)
    view.get_by_label("Example").select_option("the time first")
    expect(view.locator("output")).to_contain_text(
        "16 tokens of the second prompt came"
    )
    view.get_by_label("Example").select_option("the time last")
    expect(view.locator("output")).to_contain_text(told)


def test_money_is_not_taken_for_mathematics(book: NotebookPage) -> None:
    said = book.page.locator(
        ".jp-RenderedMarkdown", has_text="Without a cache the agent"
    )
    said.last.scroll_into_view_if_needed()
    expect(said.last).to_contain_text("costs USD 0.880, with one USD 0.2447")
    expect(said.last.locator("mjx-container")).to_have_count(0)


def test_calculator_answers_to_the_keyboard(book: NotebookPage) -> None:
    view = book.widget("kv")
    expect(view.locator(".lab-title")).to_contain_text("up to 52 sequences of 8,192")
    view.get_by_label("Context, tokens").press("ArrowRight")
    expect(view.locator(".lab-title")).to_contain_text("up to 26 sequences of 16,384")


def test_prediction_is_locked_and_then_answered(book: NotebookPage) -> None:
    card, verdict = book.widget("predict"), book.widget("verdict")
    card.get_by_role("spinbutton").fill("20000")
    card.get_by_role("button", name="Lock my guess").press("Enter")
    expect(verdict.locator("output")).to_contain_text("Answer: 23,040.")


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_widgets_are_readable_in_both_themes(book: NotebookPage, theme: str) -> None:
    book.theme(theme)
    for name in WIDGETS:
        dark, light = sorted(map(brightness, book.widget(name).evaluate(COLOURS)))
        assert light - dark > 120, name
    book.check()
