"""SchedulerDebugger in JupyterLab, by keyboard: step, rerun, compare, refuse."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

HEAD = (
    "from labkit.config import EngineConfig\n"
    "from labkit.widgets import SchedulerDebugger\n"
    "from tests.support.schedules import ARRIVALS, Again\n"
)
MAKE = "bug = SchedulerDebugger(Again(), ARRIVALS, EngineConfig(max_step_tokens=128))"
LOOK = "n => (s => [s.color, s.backgroundColor])(getComputedStyle(n))"


def test_arrow_keys_step_through_the_plan_the_queues_and_the_blocks(notebook) -> None:
    book = notebook(HEAD, f"{MAKE}\nbug")
    view = book.widget("scheduler")
    slider = view.get_by_role("slider")
    expect(view.locator(".lab-plan")).to_contain_text("10 of 128 tokens, 1 sequence, 0")
    slider.focus()
    book.page.keyboard.press("ArrowRight")
    expect(view.locator(".lab-plan")).to_contain_text("book  prefill  0..79")
    expect(view.locator("output")).to_contain_text("Step 2: ")
    expect(view.locator(".lab-queue").first).to_contain_text("chatbook")
    book.page.keyboard.press("End")
    expect(slider).to_have_attribute("aria-valuetext", "3 of 3")
    book.page.keyboard.press("Home")
    play = view.get_by_role("button", name="Play")
    play.press("Enter")
    expect(slider).to_have_attribute("aria-valuetext", "3 of 3")
    expect(play).to_have_text("Play")  # it stops by itself at the end
    book.check()


def test_rerun_overlays_both_runs_and_tells_python(notebook) -> None:
    book = notebook(HEAD, f"{MAKE}\nbug")
    view = book.widget("scheduler")
    chunk = view.get_by_label("Tokens a step (chunk)")
    chunk.focus()
    book.page.keyboard.press("ArrowUp")
    book.page.keyboard.press("ArrowUp")
    expect(chunk).to_have_value("32")
    view.get_by_role("button", name="Run the same arrivals").press("Enter")
    title = "The worst gap is 91 ms with 128 tokens a step; 43 ms with 32 tokens a step"
    expect(view.locator(".lab-title")).to_have_text(title)
    expect(view.locator("output")).to_have_text(title)  # what a screen reader hears
    expect(view.locator("thead th")).to_have_text(["before", "after"])
    expect(view.get_by_label("Show the steps of")).to_have_value("after")
    book.add_cell_and_run("print(bug.knobs['max_step_tokens'], len(bug.runs))")
    book.wait_idle()
    assert "32 2" in book.outputs()
    keep = view.get_by_role("button", name="Compare with this run")
    keep.press("Enter")
    expect(view.locator("thead th")).to_have_text(["this run"])
    expect(keep).to_have_attribute("aria-disabled", "true")
    expect(view.locator(".lab-why")).to_contain_text("Nothing to compare yet")
    expect(keep).to_be_focused()
    book.check()


def test_run_keeps_the_focus_and_the_worst_gap_is_marked(notebook) -> None:
    book = notebook(HEAD, f"{MAKE}\nbug")
    view = book.widget("scheduler")
    button = view.get_by_role("button", name="Run the same arrivals")
    button.press("Enter")
    expect(view.locator(".lab-title")).to_contain_text("with the same set-up")
    expect(button).to_have_attribute("aria-disabled", "false")
    expect(button).to_be_focused()
    marks = view.locator(".lab-plot .lab-gap").evaluate_all(
        "nodes => nodes.map(node => node.getAttribute('d').includes('H'))"
    )
    assert marks == [True, True, False, False]  # both runs of chat, none of book
    book.check()


def test_a_set_up_that_cannot_be_is_refused_in_words(notebook) -> None:
    book = notebook(HEAD, f"{MAKE}\nbug")
    view = book.widget("scheduler")
    view.get_by_role("spinbutton", name="Blocks").fill("0")
    button = view.get_by_role("button", name="Run the same arrivals")
    button.press("Enter")
    note = view.locator(".lab-note")
    expect(note).to_have_text("Blocks: use a whole number above 0, not 0")
    expect(view.locator("output")).to_contain_text("the last run still stands")
    expect(button).to_be_enabled()
    view.get_by_role("spinbutton", name="Blocks").fill("40")
    view.get_by_role("spinbutton", name="Sequences at once").fill("")
    button.press("Enter")
    expect(note).to_have_text(
        "Sequences at once: use a whole number above 0, it is empty"
    )
    book.check()


def test_keys_on_its_controls_are_not_taken_by_jupyterlab(notebook) -> None:
    book = notebook(HEAD, f"{MAKE}\nbug")
    view = book.widget("scheduler")
    before = book.page.locator(".jp-Cell").count()
    for role in ("slider", "spinbutton", "combobox"):
        view.get_by_role(role).first.focus()
        for key in ("b", "x", "d", "d"):
            book.page.keyboard.press(key)
    assert book.page.locator(".jp-Cell").count() == before
    book.check()


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_text_is_readable_in_both_themes(notebook, theme) -> None:
    book = notebook(HEAD, f"{MAKE}\nbug.rerun(max_step_tokens=16)\nbug")
    book.theme(theme)
    view = book.widget("scheduler")
    for place in (view, view.locator(".lab-plan"), view.locator("td").first):
        text, _ = place.evaluate(LOOK)
        _, card = view.evaluate(LOOK)
        dark, light = sorted(_brightness(colour) for colour in (text, card))
        assert light - dark > 120, theme
    book.check()


def _brightness(colour: str) -> float:
    parts = [float(v) for v in colour.split("(")[1].rstrip(")").split(",")]
    return sum(parts[:3]) / 3
