"""BlockMap, PrefixMissExplainer and KVCalculator in JupyterLab, by keyboard."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.support.browser import NotebookPage

pytestmark = pytest.mark.browser

HEAD = (
    "from labkit.widgets import BlockMap, KVCalculator, PrefixMissExplainer\n"
    "from tests.support.pools import *\n"
)
MAP = "pool = BlockMap(pool_frames(), 4, spell=lambda i: f't{i}')\npool"
IS_CUT = (
    "n => [...n.querySelectorAll('span')].some(s => s.scrollWidth > s.clientWidth + 1)"
)
IS_ON_TOP = (  # what is typed can be seen and clicked, not covered by its marks
    "n => { const r = n.getBoundingClientRect();"
    " return document.elementFromPoint(r.x + 9, r.y + 9) === n; }"
)
LOOK = "n => (s => [s.color, s.backgroundColor])(getComputedStyle(n))"
THEMES = ("JupyterLab Light", "JupyterLab Dark")


def block(pool: Locator, number: int) -> Locator:
    return pool.get_by_role("option").nth(number)


def test_slider_scrubs_back_through_the_steps(notebook) -> None:
    book = notebook(HEAD, MAP)
    pool = book.widget("block-map")
    expect(pool.locator(".lab-title")).to_contain_text("Step 5: 8 of 8 blocks held")
    slider = pool.get_by_role("slider")
    slider.focus()
    book.page.keyboard.press("Home")
    expect(pool.locator(".lab-title")).to_contain_text("Step 0: 3 of 8 blocks held")
    expect(slider).to_have_attribute("aria-valuetext", "0 of 5")
    book.page.keyboard.press("ArrowRight")
    expect(block(pool, 0)).to_have_accessible_description(re.compile("held by A and B"))
    expect(pool.locator(".lab-chip")).to_have_count(2)
    book.check()


def test_copy_on_write_is_an_arrow(notebook) -> None:
    book = notebook(HEAD, MAP, "pool.frame = 3")
    pool = book.widget("block-map")
    copied = re.compile("in this step copy")
    expect(block(pool, 4)).to_have_accessible_description(copied)
    expect(pool.locator(".lab-legend")).to_contain_text("copied to")
    expect(pool.locator(".lab-lines .lab-copy path")).to_have_count(1)
    expect(pool.locator(".lab-events")).to_contain_text("copied on write from block 2")
    book.check()


def test_enter_on_a_block_shows_its_tokens_and_chain(notebook) -> None:
    book = notebook(HEAD, MAP, "pool.frame = 0")
    pool = book.widget("block-map")
    block(pool, 0).focus()
    book.page.keyboard.press("ArrowRight")
    expect(pool.locator("output")).to_contain_text("Block 1: held by A")
    book.page.keyboard.press("Enter")
    expect(block(pool, 1)).to_have_attribute("aria-selected", "true")
    expect(pool.locator(".lab-tokens span")).to_have_text(["t4", "t5", "t6", "t7"])
    expect(pool.locator(".lab-lines .lab-chain path")).to_have_count(1)
    book.page.keyboard.press("Enter")
    expect(pool.locator(".lab-detail")).to_be_hidden()
    pool.get_by_role("slider").press("End")
    expect(pool.locator("output")).to_have_text("")
    expect(pool.locator(".lab-events")).to_contain_text("evicted")
    book.check()


def test_keys_on_blocks_are_not_taken_by_jupyterlab(notebook) -> None:
    book = notebook(HEAD, MAP)
    block(book.widget("block-map"), 2).focus()
    before = book.page.locator(".jp-Cell").count()
    for key in ("b", "a", "x", "d", "d", " "):
        book.page.keyboard.press(key)
    assert book.page.locator(".jp-Cell").count() == before
    book.check()


def test_button_steps_a_live_pool_and_play_walks_through_the_frames(notebook) -> None:
    code = (
        "class Rest:\n"
        "    left = pool_frames()[:0:-1]\n"
        "    def step(self): return self.left.pop() if self.left else None\n"
        "BlockMap(pool_frames()[:1], 4, spell=lambda i: f't{i}', pool=Rest())"
    )
    book = notebook(HEAD, code)
    pool = book.widget("block-map")
    for step in (1, 2):
        pool.get_by_role("button", name="Run one engine step").press("Enter")
        expect(pool.locator(".lab-title")).to_contain_text(f"Step {step}:")
    expect(block(pool, 1).locator("i")).to_have_text(["t4", "t5", "t6", "t7"])
    play = pool.get_by_role("button", name="Play")
    play.press("Enter")  # from the last frame: begins anew
    expect(pool.locator(".lab-title")).to_contain_text("Step 0:")
    expect(pool.get_by_role("button", name="Pause")).to_be_focused()
    expect(pool.locator(".lab-title")).to_contain_text("Step 2:", timeout=15_000)
    expect(play).to_be_focused(timeout=15_000)
    book.check()


def test_second_view_follows_and_survives_the_first(notebook) -> None:
    book = notebook(HEAD, MAP, "pool")
    views = book.page.locator(".lab-block-map")
    expect(views).to_have_count(2)
    block(views.first, 3).press("Enter")
    expect(block(views.last, 3)).to_have_attribute("aria-selected", "true")
    book.cut_last_cell()
    expect(views).to_have_count(1)
    views.first.get_by_role("slider").press("Home")
    expect(views.first.locator(".lab-title")).to_contain_text("Step 0:")
    book.check()


def test_example_is_chosen_and_measured_by_keyboard(notebook) -> None:
    code = "both = PrefixMissExplainer(PAIRS, WORDS, CARD, measured)\nboth.run()\nboth"
    book = notebook(HEAD, code)
    view = book.widget("prefix-miss")
    expect(view.locator(".lab-note")).to_contain_text("The miss costs 55.0 ms.")
    expect(view.locator(".lab-title")).to_contain_text("Timestamp: token 10 differs")
    view.get_by_label("Example").focus()
    book.page.keyboard.press("ArrowDown")
    expect(view.locator(".lab-title")).to_contain_text("Tool order: token 8 differs")
    expect(view.locator(".lab-note")).to_be_hidden()
    view.get_by_role("button", name="Run both").press("Enter")
    expect(view.locator("output")).to_contain_text("its prefill took 60.0 ms")
    expect(view.get_by_role("button", name="Run both")).to_be_focused()
    expect(view.locator(".lab-first-miss").first).to_be_visible()
    book.check()


def test_pasted_prompt_is_compared_and_its_difference_marked(notebook) -> None:
    book = notebook(HEAD, "PrefixMissExplainer(PAIRS, WORDS, CARD)")
    view = book.widget("prefix-miss")
    first = view.get_by_label("First request").input_value()
    view.get_by_label("Second request").fill(first)
    expect(view.locator(".lab-title")).to_contain_text("No difference")
    expect(view.locator(".lab-first-miss")).to_have_count(0)
    expect(view.get_by_label("Example")).to_have_value("your own")
    view.get_by_label("Second request").fill(first.replace("kind", "fair", 1))
    expect(view.locator("mark")).to_have_text(["kind", "fair"])
    assert view.get_by_label("Second request").evaluate(IS_ON_TOP)
    view.get_by_label("Second request").fill("")
    expect(view.locator(".lab-title")).to_contain_text("the second prompt is empty")
    assert view.get_by_role("button", name="Run both").count() == 0
    book.check()


def test_sliders_and_selects_change_the_sums(notebook) -> None:
    book = notebook(HEAD, "sums = KVCalculator(MODELS, GPUS)\nsums")
    view = book.widget("kv")
    expect(view.locator(".lab-title")).to_contain_text(
        "up to 380 sequences of 8,192 tokens"
    )
    view.get_by_label("Context, tokens").press("End")
    expect(view.locator(".lab-title")).to_contain_text("of 1,048,576 tokens")
    expect(view.locator(".lab-note")).to_contain_text("takes at most 8,192 tokens")
    view.get_by_label("Sequences at once").press("ArrowRight")
    expect(view.locator(".lab-key")).to_contain_text("cache of 2 sequences")
    view.get_by_label("Model").focus()
    book.page.keyboard.press("ArrowDown")
    expect(view.locator("output")).to_contain_text("the weights alone do not fit")
    expect(view.locator(".lab-stack")).to_have_class(re.compile("lab-over"))
    view.get_by_label("Sequences at once").press("End")
    expect(view.locator(".lab-bar").nth(1)).to_contain_text("4,880.0 TiB")
    assert not view.locator(".lab-bar").nth(1).evaluate(IS_CUT)
    book.add_cell_and_run("print(sums.load['context'], sums.model)")
    printed = book.page.locator(".jp-Notebook")
    expect(printed).to_contain_text("1048576 latent", timeout=15_000)
    book.check()


@pytest.mark.parametrize("theme", THEMES)
def test_text_of_every_widget_is_readable_in_both_themes(notebook, theme) -> None:
    cells = ("PrefixMissExplainer(PAIRS, WORDS, CARD)", "KVCalculator(MODELS, GPUS)")
    book: NotebookPage = notebook(HEAD, MAP, *cells)
    book.theme(theme)
    for name in ("block-map", "prefix-miss", "kv"):
        look = book.widget(name).evaluate(LOOK)
        dark, light = sorted(map(_brightness, look))
        assert light - dark > 120, (name, theme, look)
    book.check()


def _brightness(colour: str) -> float:
    parts = [float(v) for v in re.findall(r"[\d.]+", colour)[:3]]
    return sum(parts) / 3
