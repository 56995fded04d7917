"""TraceBar, TTFTWaterfall and LiteFigure in JupyterLab, by keyboard."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.support.colour import brightness

pytestmark = pytest.mark.browser

HEAD = (
    "from labkit.records import Layer\n"
    "from labkit.widgets import TraceBar, TTFTWaterfall\n"
    "from tests.support.requests import MARKDOWN, trace\n"
)
LOOK = "n => (s => [s.color, s.backgroundColor])(getComputedStyle(n))"
FILL = "node => getComputedStyle(node).fill"
THEMES = ("JupyterLab Light", "JupyterLab Dark")


def test_arrow_keys_choose_a_layer_of_the_trace_bar(notebook) -> None:
    book = notebook(HEAD, "bar = TraceBar(trace(), lit=Layer.STREAMING)\nbar")
    bar = book.widget("trace-bar")
    lit = bar.get_by_role("option", selected=True)
    expect(lit).to_have_text("10Streaming11.0 ms")
    lit.focus()
    book.page.keyboard.press("ArrowLeft")
    expect(bar.get_by_role("option", selected=True)).to_contain_text("Sampling")
    expect(bar.locator("output")).to_contain_text("Layer 9, Sampling: 20.00 ms")
    assert bar.locator(".lab-strip i:not(.lab-dim)").count() == 10
    book.page.keyboard.press("Home")
    expect(bar.locator("output")).to_contain_text("no time of its own in")
    book.check()


def test_keys_on_a_widget_are_not_taken_by_jupyterlab(notebook) -> None:
    book = notebook(HEAD, "TraceBar(trace())")
    book.widget("trace-bar").get_by_role("option").nth(3).focus()
    before = book.page.locator(".jp-Cell").count()
    for key in ("b", "a", "x", "d", "d", "Enter"):
        book.page.keyboard.press(key)
    assert book.page.locator(".jp-Cell").count() == before
    book.check()


def test_python_and_a_second_view_follow_the_choice(notebook) -> None:
    book = notebook(HEAD, "bar = TraceBar(trace())\nbar", "bar")
    views = book.page.locator(".lab-trace-bar")
    expect(views).to_have_count(2)
    views.first.get_by_role("option").nth(7).focus()
    chosen = views.last.get_by_role("option", selected=True)
    expect(chosen).to_contain_text("Compute")
    book.check()


def test_widget_that_is_removed_leaves_the_other_one_working(notebook) -> None:
    book = notebook(HEAD, "bar = TraceBar(trace())\nbar", "bar")
    views = book.page.locator(".lab-trace-bar")
    expect(views).to_have_count(2)
    book.cut_last_cell()
    expect(views).to_have_count(1)
    views.first.locator(".lab-cell").nth(4).focus()
    expect(views.first.locator("output")).to_contain_text("Layer 5, Context")
    book.check()


def test_waterfall_changes_with_the_request_and_the_part(notebook) -> None:
    make = "TTFTWaterfall([trace('cold'), trace('warm', prefill_s=0.01)])"
    book = notebook(HEAD, make)
    chart = book.widget("ttft")
    expect(chart.locator(".lab-title")).to_contain_text(
        "cold: first text after 182.0 ms"
    )
    bar = chart.locator(".lab-row", has_text="prefill").locator("i")
    wide = bar.evaluate("node => node.getBoundingClientRect().width")
    chart.get_by_label("Request").focus()
    book.page.keyboard.press("ArrowDown")
    expect(chart.locator(".lab-title")).to_contain_text(
        "warm: first text after 92.0 ms"
    )
    assert bar.evaluate("node => node.getBoundingClientRect().width") < wide / 2
    chart.locator(".lab-row[role=option]").first.focus()
    book.page.keyboard.press("End")
    expect(chart.locator("output")).to_contain_text(
        "flush (layer streaming): the server writes the event to the connection."
    )
    book.check()


def test_figures_follow_the_theme_and_share_one_bundle(notebook) -> None:
    code = (
        "from labkit.figures.ttft import waterfall\n"
        "from labkit.widgets.figure import LiteFigure\n"
        "LiteFigure(waterfall(trace()))"
    )
    book = notebook(HEAD, code, "LiteFigure(waterfall(trace('warm')))", alone=True)
    bars = book.page.locator(".lab-figure .bars path")
    bars.last.wait_for(state="attached", timeout=60_000)
    title = book.page.locator(".lab-figure .xtitle").first
    looks = []
    for theme in THEMES:
        book.theme(theme)
        looks.append(title.evaluate("node => getComputedStyle(node).fill"))
    assert looks[0] != looks[1]
    assert book.page.evaluate("() => globalThis.__labModules.size") == 1
    assert book.page.locator("[data-title*=Share]").count() == 0
    bars = book.page.locator(".lab-figure").first.locator(".bars path")
    prefill = bars.nth(9)  # wide enough to be pointed at
    for theme in THEMES:  # the label that appears under the pointer
        book.theme(theme)
        box = prefill.bounding_box()
        assert box is not None
        middle = box["y"] + box["height"] / 2
        for share in (0.3, 0.6):  # plotly answers to a pointer that moves on it
            book.page.mouse.move(box["x"] + share * box["width"], middle, steps=3)
            book.page.wait_for_timeout(300)
        label = book.page.locator(".lab-figure .hovertext").last
        label.wait_for()
        ink = label.locator("text").first.evaluate(FILL)
        card = label.locator("path").first.evaluate(FILL)
        assert abs(brightness(ink) - brightness(card)) > 120
        assert re.search(r"[\d.]+ ms from [\d.]+ ms", label.text_content() or "")
        book.page.mouse.move(0, 0)
    book.check()


def test_a_figure_keeps_its_height_and_takes_the_width_there_is(notebook) -> None:
    code = (
        "from labkit.figures.ttft import waterfall\n"
        "from labkit.widgets.figure import LiteFigure\n"
        "LiteFigure(waterfall(trace()))"
    )
    book = notebook(HEAD, code, alone=True)
    plot = book.page.locator(".lab-figure .main-svg").first
    plot.wait_for(timeout=60_000)
    height = plot.bounding_box()["height"]
    sidebar = "window.jupyterapp.commands.execute('application:toggle-left-area')"
    for change in (
        lambda: book.page.set_viewport_size({"width": 1390, "height": 900}),
        lambda: book.page.set_viewport_size({"width": 900, "height": 900}),
        lambda: book.page.evaluate(sidebar),
    ):
        before = plot.bounding_box()["width"]
        change()
        room = book.page.locator(".lab-plot")
        fits = "([a, b]) => Math.abs(a.clientWidth - b.clientWidth) < 2"
        book.page.wait_for_function(
            fits, arg=[plot.element_handle(), room.element_handle()]
        )
        assert plot.bounding_box()["width"] != before
        assert plot.bounding_box()["height"] == height
    book.check()


@pytest.mark.parametrize("theme", THEMES)
def test_text_of_every_widget_is_readable_in_both_themes(notebook, theme) -> None:
    book = notebook(HEAD, "TraceBar(trace())", "TTFTWaterfall([trace()])")
    book.theme(theme)
    for name in ("trace-bar", "ttft"):
        look = book.widget(name).evaluate(LOOK)
        dark, light = sorted(_brightness(colour) for colour in look)
        assert light - dark > 120, (name, theme, look)
    book.check()


def _brightness(colour: str) -> float:
    """Mean of the first three numbers of `rgb(...)`; opacity counts against text."""
    parts = [float(v) for v in colour.split("(")[1].rstrip(")").split(",")]
    return sum(parts[:3]) / 3
