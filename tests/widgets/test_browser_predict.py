"""A prediction in JupyterLab, by keyboard: choose, lock, and the answer opens."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

CHOICE = """\
from labkit.widgets.predict import Predict
guess = Predict("Which part is longest?", ["queue", "prefill", "flush"])
guess"""
NUMBER = """\
from labkit.widgets.predict import Predict
guess = Predict("How long?", between=(0, 1000), unit="ms")
guess"""


def test_a_choice_is_locked_by_keyboard_and_opens_the_answer(notebook) -> None:
    page = notebook(CHOICE, "guess.reveal('prefill')")
    card, verdict = page.widget("predict"), page.widget("verdict")
    lock = card.get_by_role("button", name="Lock my guess")
    expect(lock).to_be_disabled()
    expect(verdict.locator("output")).to_have_text("")
    card.get_by_role("radio", name="queue").focus()
    page.page.keyboard.press("ArrowDown")
    expect(card.get_by_role("radio", name="prefill")).to_be_checked()
    lock.focus()
    page.page.keyboard.press("Enter")
    expect(verdict.locator("output")).to_have_text(
        "You said prefill. Answer: prefill. Right."
    )
    expect(card.get_by_role("radio", name="flush")).to_be_disabled()
    page.check()


def test_a_number_outside_the_range_cannot_be_locked(notebook) -> None:
    page = notebook(NUMBER, "guess.reveal(10)")
    card, verdict = page.widget("predict"), page.widget("verdict")
    box = card.get_by_role("spinbutton")
    lock = card.get_by_role("button", name="Lock my guess")
    box.focus()
    page.page.keyboard.type("2000")
    expect(lock).to_be_disabled()
    expect(card.locator("output")).to_have_text(
        "2,000 is out of range: use 0 to 1,000 ms."
    )
    page.page.keyboard.press("Enter")
    expect(box).to_be_enabled()
    box.fill("20")
    page.page.keyboard.press("Tab")
    page.page.keyboard.press("Enter")
    expect(verdict.locator("output")).to_contain_text("too high by a factor of 2.00")
    page.check()


def test_the_answer_can_be_shown_without_a_prediction(notebook) -> None:
    page = notebook(CHOICE, "guess.reveal('flush')")
    card, verdict = page.widget("predict"), page.widget("verdict")
    verdict.get_by_role("button", name="Skip the guess").press("Enter")
    expect(verdict.locator("output")).to_contain_text("No guess was locked.")
    expect(verdict.locator("output")).to_be_focused()
    expect(card.get_by_role("radio", name="queue")).to_be_disabled()
    page.check()


def test_enter_locks_and_the_focus_stays_in_the_card(notebook) -> None:
    page = notebook(NUMBER, "guess.reveal(10)")
    card = page.widget("predict")
    card.get_by_role("spinbutton").focus()
    page.page.keyboard.type("10")
    page.page.keyboard.press("Enter")
    expect(card.locator("output")).to_have_text("Locked: 10 ms.")
    expect(card.locator("output")).to_be_focused()
    before = page.page.locator(".jp-Cell").count()
    page.page.keyboard.press("b")  # JupyterLab's key for a new cell
    assert page.page.locator(".jp-Cell").count() == before
    page.check()


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_keys_stay_with_the_card_in_both_themes(notebook, theme: str) -> None:
    page = notebook(CHOICE, "guess.reveal('flush')")
    page.theme(theme)
    page.widget("predict").get_by_role("radio", name="queue").focus()
    before = page.page.locator(".jp-Cell").count()
    for key in ("b", "a", "x", "d", "d"):
        page.page.keyboard.press(key)
    assert page.page.locator(".jp-Cell").count() == before
    page.check()


SECTION = (
    """\
import os
os.environ.pop("PYTEST_VERSION", None)  # as a reader's kernel
from labkit.book import claim, start
lab = start(chapter=7)""",
    "guess = lab.predict('How many?', between=(0, 100))\nguess",
    "claim('It is 42.', True)",
    "lab.table(['n'], [['42 of them']])",
    "from labkit.widgets import MarkdownRace\nMarkdownRace('# 42')",
    """\
from labkit.figures.drawings import Lines, Series
from labkit.records import Layer
from labkit.widgets.figure import LiteFigure
line = Series("a", (1, 2), (1, 42), Layer.CACHE)
LiteFigure(Lines("So 42", "It is 42.", "x", "y", (line,)))""",
    "guess.reveal(42)",
)


def test_a_section_is_hidden_until_the_guess_is_locked(notebook) -> None:
    page = notebook(*SECTION)
    card, hidden = page.widget("predict"), page.page.locator(".jp-OutputArea-output")
    told = hidden.filter(has_text="Hidden until you lock your guess on")
    expect(told).to_have_count(4)
    expect(page.page.locator(".lab-veil")).to_have_count(2)
    assert "42" not in page.outputs()
    card.get_by_role("spinbutton").fill("40")
    page.page.keyboard.press("Enter")
    expect(hidden.filter(has_text="✓ It is 42.")).to_have_count(1)
    expect(hidden.filter(has_text="42 of them")).to_have_count(1)
    expect(page.page.locator(".lab-race")).to_be_visible()
    drawn = page.page.locator(".lab-figure .main-svg").first
    expect(drawn).to_be_visible(timeout=60_000)  # plotly's bundle comes first
    expect(page.page.locator(".lab-veil")).to_have_count(0)
    card.get_by_role("button", name="Guess again").press("Enter")
    expect(card.get_by_role("spinbutton")).to_be_enabled()
    page.check()
