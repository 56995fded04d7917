"""What a TraceBar's page does by itself: hover, play, zoom, links, narrow columns."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from labkit.records import Layer
from labkit.trace import Mark, Span, Trace
from labkit.widgets import TraceBar
from tests.support.bare_page import bare_page, render
from tests.support.requests import trace

pytestmark = pytest.mark.browser

CUT = """root => [...root.querySelectorAll('.lab-cell, .lab-cell *, .lab-tools button')]
  .filter(node => node.scrollWidth > node.clientWidth + 1 && node.clientWidth)
  .map(node => node.textContent)"""


def short() -> Trace:
    """Two milliseconds: 200 times slower they play in less than half a second."""
    made = Trace("r")
    made.add(Span("tokenize", Layer.TOKENS, 0, 0.001, made.key()))
    made.add(Span("prefill", Layer.COMPUTE, 0.001, 0.002, made.key()))
    made.add(Mark("finish", Layer.STREAMING, 0.002, made.key()))
    return made


@pytest.fixture(scope="module")
def page(chrome: Browser) -> Iterator[Page]:
    with bare_page(chrome) as made:
        yield made


def test_a_span_under_the_pointer_is_named_with_its_layer_and_time(page: Page) -> None:
    bar = render(page, TraceBar([trace(), short()], names=["long", "short"]))
    box = bar.locator(".lab-strip").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.1, box["y"] + 5)
    expect(bar.locator(".lab-now")).to_have_text(
        "At 41.2 ms: long: prefill, layer 8 (Compute), 100.00 ms from 12.0 ms; "
        "short: already done."
    )


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_play_runs_to_the_end_and_says_so(page: Page, motion) -> None:
    page.emulate_media(reduced_motion=motion)
    bar = render(page, TraceBar(short()))
    play = bar.get_by_role("button", name="Play, 200 times slower")
    play.press("Enter")
    expect(bar.locator("output")).to_have_text("At 2.0 ms: the end.")
    expect(play).to_be_visible()
    at = bar.locator(".lab-cursor").evaluate("node => node.style.left")
    assert at == "100%"


def test_moments_are_chosen_by_keyboard_and_told(page: Page) -> None:
    bar = render(page, TraceBar(trace()))
    moment = bar.get_by_label("Moment")
    moment.focus()
    for key in ("PageUp", "PageUp", "ArrowRight"):
        page.keyboard.press(key)
    expect(moment).to_have_attribute("aria-valuetext", "82.8 ms")
    told = "At 82.8 ms: prefill, layer 8 (Compute), 100.00 ms from 12.0 ms."
    expect(bar.locator("output")).to_have_text(told)
    page.keyboard.press("End")
    expect(bar.locator("output")).to_have_text("At 412.0 ms: the end.")


def test_zoom_widens_the_strip_until_it_must_be_scrolled(page: Page) -> None:
    bar = render(page, TraceBar(trace()))
    out, zoom_in = (bar.get_by_role("button", name=n) for n in ("Zoom out", "Zoom in"))
    expect(out).to_be_disabled()
    expect(out).to_have_attribute("title", "The whole request is in sight already.")
    room = bar.locator(".lab-scroll")
    for _ in range(3):
        zoom_in.press("Enter")
    wide, seen = room.evaluate("node => [node.scrollWidth, node.clientWidth]")
    assert abs(wide / seen - 8) < 0.1
    expect(room).to_have_attribute("tabindex", "0")
    out.press("Enter")
    assert room.evaluate("n => n.scrollWidth / n.clientWidth") < 4.1


def test_a_cell_links_to_its_chapter_where_there_is_one(page: Page) -> None:
    widget = TraceBar(trace(), lit=Layer.CACHE)
    widget.links = {"cache": "07_cache.ipynb"}
    bar = render(page, widget)
    cache = bar.get_by_role("option", name="Cache")
    expect(cache).to_have_attribute("href", "07_cache.ipynb")
    assert bar.locator("a.lab-cell").count() == 1


def test_another_trace_takes_the_place_of_the_first(page: Page) -> None:
    widget = TraceBar(trace())
    bar = render(page, widget)
    widget.show(short())
    page.evaluate("drawing => model.set('drawing', drawing)", widget.drawing)
    expect(bar.locator(".lab-title")).to_have_text("One request, twelve layers, 2.0 ms")
    expect(bar).to_have_attribute("aria-label", "One request, twelve layers, 2.0 ms")
    assert bar.locator(".lab-strip").count() == 1


@pytest.mark.parametrize("width", [1000, 840, 700, 480])
def test_no_cell_is_cut_at_any_width(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    bar = render(page, TraceBar(trace(), lit=Layer.STREAMING))
    assert bar.evaluate(CUT) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
