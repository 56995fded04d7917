"""SSEInspector and MarkdownRace in JupyterLab, by keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

HEAD = (
    "from labkit.net.relay import relay\n"
    "from labkit.widgets import MarkdownRace, SSEInspector\n"
    "from tests.support.requests import MARKDOWN, anthropic_frames, openai_frames\n"
)
INSPECTOR = (
    "inspector = SSEInspector(\n"
    "    {'openai': openai_frames(), 'anthropic': anthropic_frames()}, relay)\n"
    "inspector"
)
RACE = "race = MarkdownRace(MARKDOWN * 3, chunk_chars=20)\nrace"
TEXT = 'The answer is "1" (1). 🍓'


def test_every_fault_switch_changes_what_arrives(notebook) -> None:
    book = notebook(HEAD, INSPECTOR)
    view = book.widget("sse")
    title = view.locator(".lab-title")
    expect(title).to_contain_text("both readers agree")
    steps = [
        ("Cut into pieces of", "ArrowDown", "Home"),
        ("Frames joined", "ArrowRight", "Home"),
        ("Frame sent twice", "ArrowRight", "Home"),
        ("Connection lost after", "PageDown", "End"),
        ("Stall half-way", "ArrowRight", "Home"),
        ("Cut inside characters", "Space", "Space"),
    ]
    column = view.locator(".lab-column-piece .lab-list")
    clean = column.evaluate("node => node.textContent")
    for label, turn, back in steps:
        view.get_by_label(label).focus()
        book.page.keyboard.press(turn)
        expect(column).not_to_have_text(clean)
        book.page.keyboard.press(back)
        expect(column).to_have_text(clean)
    book.check()


def test_naive_reader_breaks_where_the_real_one_does_not(notebook) -> None:
    book = notebook(HEAD, INSPECTOR)
    view = book.widget("sse")
    view.get_by_label("Recording").focus()
    book.page.keyboard.press("ArrowDown")
    expect(view.locator(".lab-title")).to_contain_text("anthropic: ")
    view.get_by_label("Cut inside characters").press("Space")
    real, naive = view.locator(".lab-reading").all()
    expect(naive.locator(".lab-subtitle")).to_contain_text("✗")
    expect(naive.locator(".lab-recovered")).not_to_have_text(TEXT)
    expect(real.locator(".lab-subtitle")).to_contain_text("✓")
    expect(real.locator(".lab-recovered")).to_have_text(TEXT)
    book.check()


def test_choosing_a_frame_lights_its_bytes_and_its_event(notebook) -> None:
    book = notebook(HEAD, INSPECTOR)
    view = book.widget("sse")
    view.get_by_label("Cut into pieces of").select_option("64")
    expect(view.locator(".lab-title")).to_contain_text("the naive reader understands")
    view.locator(".lab-column-frame [role=option]").first.focus()
    book.page.keyboard.press("ArrowDown")
    expect(view.locator("output")).to_contain_text("frame 2: bytes 171 to ")
    expect(view.locator(".lab-column-event .lab-linked")).to_have_text("2text 'The'")
    assert view.locator(".lab-column-piece .lab-linked").count() >= 2
    book.check()


def test_race_runs_pauses_and_reports_to_python(notebook) -> None:
    book = notebook(HEAD, RACE)
    race = book.widget("race")
    race.get_by_label("Characters a chunk").focus()
    book.page.keyboard.press("ArrowRight")
    expect(race.locator("output")).to_contain_text("Ready: ")
    race.locator("button.lab-main").press("Enter")
    expect(race.locator("output")).to_contain_text("nodes written", timeout=60_000)
    expect(race.locator(".lab-title")).to_contain_text("times as long as")
    assert len(race.locator("polyline").first.get_attribute("points") or "") > 100
    book.add_cell_and_run(
        "full, memo, stream = (lane.nodes[-1] for lane in race.race.lanes)\n"
        "print(race.race.chunk_chars, full > memo > stream)"
    )
    book.wait_idle()
    assert "21 True" in book.outputs()
    book.check()


def test_race_can_be_paused_and_reset(notebook) -> None:
    book = notebook(HEAD, "MarkdownRace(MARKDOWN * 40, chunk_chars=4)")
    race = book.widget("race")
    button = race.locator("button.lab-main")
    button.press("Enter")
    expect(button).to_have_text("Pause", timeout=30_000)
    button.press("Enter")
    expect(button).to_have_text("Continue")
    expect(race.locator("output")).to_contain_text("Paused after")
    race.get_by_role("button", name="Reset").press("Enter")
    expect(button).to_have_text("Start")
    assert race.locator(".lab-pane").first.inner_html() == ""
    book.check()


def test_three_renderers_show_the_same_text_and_load_no_image(notebook) -> None:
    book = notebook(HEAD, "MarkdownRace(MARKDOWN, chunk_chars=7)")
    race = book.widget("race")
    race.locator("button.lab-main").press("Enter")
    expect(race.locator("output")).to_contain_text("nodes written", timeout=60_000)
    said = "At the end block memo shows the same page as full re-parse."
    expect(race.locator("output")).to_contain_text(said)
    for pane in race.locator(".lab-pane").all():
        assert pane.get_attribute("inert") is None  # its words can be selected
        assert "Counting letters" in (pane.text_content() or "")
        assert pane.locator("table").count() == 1
        assert pane.locator("img[src], [onerror]").count() == 0
        links = pane.locator("a[href]").evaluate_all("all => all.map(a => a.protocol)")
        assert links == ["https:"]
    book.check()  # also: no request to another host


def test_missing_vendor_file_is_a_sentence_in_the_widget(notebook) -> None:
    lose = (
        "from pathlib import Path\nimport labkit.widgets.assets as assets\n"
        "assets.VENDOR = Path('nowhere')"
    )
    book = notebook(HEAD, lose, "MarkdownRace(MARKDOWN)", alone=True)
    race = book.widget("race")
    race.locator("button.lab-main").press("Enter")
    expect(race.locator("output")).to_contain_text("run `make js`")
    book.check()


def test_no_renderer_of_the_race_loses_text(notebook) -> None:
    text = "a vector<int> b <path> c\n\n<div>\nd\n</div>\n\n![e](http://a.example/f)\n\ng\n"
    book = notebook(HEAD, f"MarkdownRace({text!r}, chunk_chars=20)")
    race = book.widget("race")
    race.locator("button.lab-main").press("Enter")
    expect(race.locator("output")).to_contain_text("nodes written", timeout=60_000)
    panes = race.locator(".lab-pane").all()
    full, memo, _ = (pane.evaluate("node => node.textContent") for pane in panes)
    for shown in (full, memo):
        words = ["vector<int>", "<path>", "<div>", "d", "</div>", "e", "g"]
        assert [word for word in words if word not in shown] == []
    book.check()
