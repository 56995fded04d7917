"""Chapter 10 as its reader uses it: Run All, every widget by keyboard, both themes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.chapters.every import (  # noqa: F401  they are collected here as well
    test_axe_finds_no_fault_in_prose_and_outputs,
    test_every_widget_fits_a_small_screen,
)
from tests.support.browser import NotebookPage
from tests.support.colour import brightness

pytestmark = pytest.mark.browser

CHAPTER = "10_streaming.ipynb"
LEAK = "pixel.gif?secret=4711"
COLOURS = "n => (s => [s.color, s.backgroundColor])(getComputedStyle(n))"
HEALTH_ONCE_IT_STREAMS = """async view => {
  // an answer of 512 tokens takes a second or two: what polls less often misses it
  while (view.querySelectorAll('.lab-dots .lab-stamp').length < 4)
    await new Promise(requestAnimationFrame);
  return (await fetch('/labkit/health')).text();
}"""
WIDGETS = ("trace-bar", "predict", "stream", "ttft", "verdict", "sse", "race")


def health(book: NotebookPage) -> dict[str, Any]:
    """What the server that JupyterLab manages says, through the proxy."""
    answer = book.page.evaluate("async () => (await fetch('/labkit/health')).text()")
    return dict(json.loads(answer))


def idle(now: dict[str, Any]) -> bool:
    """Nobody is served and every block is free."""
    is_empty = now["labkit_free_blocks"] == now["labkit_total_blocks"]
    return is_empty and now["running"] == now["waiting"] == 0


def until_idle(book: NotebookPage) -> bool:
    """Whether the server is idle within two seconds."""
    for _ in range(20):
        if idle(health(book)):
            return True
        book.page.wait_for_timeout(100)
    return False


def stop_half_way(book: NotebookPage, view: Locator) -> None:
    """Ask for a long answer and press Stop once some of it is there."""
    view.get_by_label("Max tokens").fill("512")
    view.get_by_role("button", name="Start").press("Enter")
    during = json.loads(view.evaluate(HEALTH_ONCE_IT_STREAMS))
    view.get_by_role("button", name="Stop").press("Enter")
    assert not idle(during)
    expect(view).to_have_attribute("data-status", "stopped")
    assert view.locator(".lab-dots .lab-stamp").count() < 512
    assert until_idle(book)


def test_every_cell_ran_and_every_claim_holds(book: NotebookPage) -> None:
    shown = book.page.locator(".jp-OutputArea-output")
    said = "\n".join(shown.all_text_contents())  # of cells out of sight too
    assert said.count("\N{CHECK MARK} ") >= 30
    wrong = said.replace("\N{BALLOT X} Naive parser", "")  # the inspector's own lesson
    assert "\N{BALLOT X}" not in wrong
    red = book.page.locator("[data-mime-type*='error'], [data-mime-type*='stderr']")
    assert red.count() == 0


def test_stream_stops_half_way_and_frees_its_blocks(book: NotebookPage) -> None:
    stop_half_way(book, book.widget("stream"))


def test_page_streams_through_the_proxy_and_stops_there_too(book: NotebookPage) -> None:
    book.add_cell_and_run(
        "StreamView(lab.server, tale, transport='browser', max_tokens=8)"
    )
    book.wait_idle()
    view = book.page.locator(".lab-stream").last
    view.scroll_into_view_if_needed()
    stop_half_way(book, view)
    book.cut_last_cell()


def test_trace_bar_shows_another_layer(book: NotebookPage) -> None:
    bar = book.widget("trace-bar")
    bar.get_by_role("option", selected=True).focus()
    book.page.keyboard.press("ArrowLeft")
    expect(bar.locator("output")).to_contain_text("Layer 9, Sampling")


def test_waterfall_shows_another_request(book: NotebookPage) -> None:
    chart = book.widget("ttft")
    before = chart.locator(".lab-title").inner_text()
    chart.get_by_label("Request").focus()
    book.page.keyboard.press("ArrowDown")
    expect(chart.locator(".lab-title")).not_to_have_text(before)
    expect(chart.locator(".lab-title")).to_contain_text("long: first text after")


def test_prediction_is_locked_and_then_answered(book: NotebookPage) -> None:
    card, verdict = book.widget("predict"), book.widget("verdict")
    card.get_by_role("radio", name="queue").focus()
    book.page.keyboard.press("ArrowDown")
    card.get_by_role("button", name="Lock my guess").press("Enter")
    expect(verdict.locator("output")).to_contain_text("You said prefill. Answer: ")


def test_faults_split_the_two_readers(book: NotebookPage) -> None:
    view = book.widget("sse")
    expect(view.locator(".lab-title")).to_contain_text("the naive reader understands")
    view.get_by_label("Recording").focus()
    book.page.keyboard.press("End")
    view.get_by_label("Cut inside characters").press("Space")
    expect(view.locator(".lab-title")).to_contain_text("openai, raw UTF-8: ")
    expect(view.locator(".lab-title")).to_contain_text("naive reader")
    real, naive = (
        reading.locator(".lab-subtitle")
        for reading in view.locator(".lab-reading").all()
    )
    expect(real).to_contain_text("\N{CHECK MARK}")
    expect(naive).to_contain_text("\N{BALLOT X}")


def test_race_is_run_and_its_cost_is_drawn(book: NotebookPage) -> None:
    race = book.widget("race")
    race.locator("button.lab-main").press("Enter")
    expect(race.locator("output")).to_contain_text("nodes written", timeout=90_000)
    assert len(race.locator("polyline").first.get_attribute("points") or "") > 100


def test_painting_the_image_leaks_and_nothing_else_leaves(book: NotebookPage) -> None:
    image = book.page.locator(f"img[src*='{LEAK}']").first
    image.scroll_into_view_if_needed()
    book.page.wait_for_timeout(500)
    book.add_cell_and_run("len(sink.hits)")
    book.wait_idle()
    last = book.page.locator(".jp-OutputArea-output").last.inner_text()
    assert int(re.sub(r"\D", "", last)) >= 1
    book.cut_last_cell()
    book.forgive_requests(LEAK)
    book.check()


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_widgets_are_readable_in_both_themes(book: NotebookPage, theme: str) -> None:
    book.theme(theme)
    for name in WIDGETS:
        dark, light = sorted(map(brightness, book.widget(name).evaluate(COLOURS)))
        assert light - dark > 120, name
