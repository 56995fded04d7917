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
    lock = card.get_by_role("button", name="Lock my prediction")
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
    box, lock = card.get_by_role("spinbutton"), card.get_by_role("button")
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
    verdict.get_by_role("button", name="Show it without").press("Enter")
    expect(verdict.locator("output")).to_contain_text("No prediction was locked.")
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
