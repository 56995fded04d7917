"""SamplingBench, OrderCompare and BranchTree in JupyterLab, by keyboard and mouse."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.browser

HEAD = (
    "from labkit.widgets import BranchTree, OrderCompare, SamplingBench\n"
    "from tests.support.benches import FourOrders, Stages, TwoWays, word\n"
)
BENCH = (
    "mine = {'mine': ['typical', 'min_p', 'top_p', 'top_k', 'temperature',"
    " 'presence_penalty', 'frequency_penalty', 'repetition_penalty']}\n"
    "bench = SamplingBench(Stages(), word, mine, temperature=0.8)\nbench"
)
LOOK = "n => (s => [s.color, s.backgroundColor])(getComputedStyle(n))"
NAMES = "nodes => nodes.map(node => node.dataset.stage)"


def stages(bench: Locator) -> list[str]:
    """The stages in the order in which they are read."""
    found: list[str] = bench.locator(".lab-stages .lab-stage").evaluate_all(NAMES)
    return found


def test_a_key_on_a_slider_runs_the_stages_again(notebook) -> None:
    book = notebook(HEAD, BENCH)
    bench = book.widget("bench")
    slider = bench.get_by_role("slider", name="Temperature")
    slider.focus()
    book.page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "0.85")
    expect(bench).to_have_attribute("data-tick", "2")
    row = bench.locator("[data-stage=temperature]")
    expect(row).to_contain_text("8.50 %")
    expect(bench.locator("output")).to_contain_text("temperature 0.85 leaves")
    book.check()


def test_the_end_of_a_slider_is_off_and_the_noise_picks_the_token(notebook) -> None:
    book = notebook(HEAD, BENCH)
    bench = book.widget("bench")
    k = bench.get_by_role("slider", name="Top k")
    expect(k).to_have_attribute("aria-valuetext", "off")
    k.press("Home")
    expect(k).to_have_attribute("aria-valuetext", "1")
    noise = bench.get_by_role("slider", name="Noise of the draw")
    for _ in range(4):
        noise.press("ArrowRight")
    expect(bench.locator("h4")).to_contain_text("the draw picks '3'")
    expect(bench.locator(".lab-picked")).to_contain_text("picked")
    bench.get_by_role("button", name="All knobs off").press("Enter")
    expect(k).to_have_attribute("aria-valuetext", "off")
    expect(bench.locator("h4")).to_contain_text("the draw picks '3'")
    book.check()


def test_arrow_keys_move_a_stage_and_keep_the_focus(notebook) -> None:
    book = notebook(HEAD, BENCH)
    bench = book.widget("bench")
    handle = bench.get_by_role("button", name="Move Temperature")
    handle.focus()
    for _ in range(2):
        book.page.keyboard.press("ArrowDown")
    assert stages(bench).index("temperature") == 5
    expect(handle).to_be_focused()
    expect(bench.locator("output")).to_contain_text("temperature is now stage 6 of 8")
    expect(bench.get_by_label("Order of stages")).to_have_value("your own")
    for _ in range(9):
        book.page.keyboard.press("ArrowUp")
    assert stages(bench)[0] == "temperature"
    book.check()


def test_a_stage_is_dragged_and_python_knows(notebook) -> None:
    book = notebook(HEAD, BENCH)
    bench = book.widget("bench")
    handle = bench.get_by_role("button", name="Move Typical p")
    target = bench.locator(".lab-stages [data-stage=temperature]")
    start, end = handle.bounding_box(), target.bounding_box()
    assert start is not None
    assert end is not None
    mouse = book.page.mouse
    mouse.move(start["x"] + 8, start["y"] + 8)
    mouse.down()
    mouse.move(start["x"] + 8, end["y"] + 6, steps=6)
    mouse.up()
    assert stages(bench).index("typical") == 3
    said = bench.locator(":scope > output")  # by Python, which is asked after the drag
    expect(said).to_contain_text(re.compile("typical.*temperature"))
    book.add_cell_and_run("print(bench.order.index('typical'), bench.views[4].name)")
    book.wait_idle()
    assert "3 typical" in book.outputs()
    book.check()


def test_a_preset_order_is_chosen_by_key(notebook) -> None:
    book = notebook(HEAD, BENCH)
    bench = book.widget("bench")
    bench.get_by_label("Order of stages").focus()
    book.page.keyboard.press("Home")
    expect(bench.locator(".lab-stages .lab-stage").first).to_contain_text("typical")
    assert stages(bench)[-1] == "repetition_penalty"
    book.check()


def test_orders_move_apart_with_the_temperature(notebook) -> None:
    book = notebook(HEAD, "orders = OrderCompare(FourOrders(), word)\norders")
    widget = book.widget("orders")
    expect(widget.locator("h4")).to_have_text("All engines give the same distribution")
    slider = widget.get_by_role("slider", name="Temperature")
    for _ in range(10):
        slider.press("ArrowRight")
    expect(widget.locator("h4")).to_contain_text("disagree about 50.0% of the mass")
    expect(widget.locator("td").filter(has_text="0.500")).to_have_count(6)
    expect(widget.get_by_role("list", name="Order of SGLang")).to_contain_text("top_k")
    book.check()


def test_a_rejected_candidate_is_taken_by_keyboard(notebook) -> None:
    book = notebook(HEAD, "tree = BranchTree(TwoWays(), word)\ntree")
    tree = book.widget("branches")
    tree.get_by_role("option").first.focus()
    book.page.keyboard.press("ArrowRight")
    expect(tree.locator("output")).to_contain_text("token 2: ⏎ with 60.0 %")
    book.page.keyboard.press("Tab")
    expect(tree.get_by_role("button", name="Go on with 3")).to_be_focused()
    book.page.keyboard.press("Enter")
    expect(tree.locator("h4")).to_have_text("2 branches share 1 of their 4 blocks")
    lane = tree.get_by_role("listbox", name="Tokens of branch B")
    expect(lane.get_by_role("option").first).to_be_focused()
    expect(tree.locator("ol .lab-shared")).to_have_text("7")
    book.check()


def test_keys_on_the_widgets_are_not_taken_by_jupyterlab(notebook) -> None:
    book = notebook(HEAD, BENCH, "BranchTree(TwoWays(), word)")
    before = book.page.locator(".jp-Cell").count()
    bench, tree = book.widget("bench"), book.widget("branches")
    for node in (
        bench.get_by_role("button", name="Move Top k"),
        bench.get_by_role("slider", name="Min p"),
        tree.get_by_role("option").first,
        tree.get_by_role("button", name="Go on with").first,
    ):
        node.focus()
        for key in ("b", "a", "x", "d", "d"):
            book.page.keyboard.press(key)
    assert book.page.locator(".jp-Cell").count() == before
    book.check()


def test_two_views_of_a_bench_show_the_same(notebook) -> None:
    book = notebook(HEAD, BENCH, "bench")
    views = book.page.locator(".lab-bench")
    expect(views).to_have_count(2)
    views.first.get_by_role("slider", name="Min p").press("End")
    other = views.last.get_by_role("slider", name="Min p")
    expect(other).to_have_attribute("aria-valuetext", "0.5")
    book.cut_last_cell()
    expect(views).to_have_count(1)
    views.first.get_by_role("button", name="Move Min p").press("ArrowUp")
    expect(views.first).to_have_attribute("data-tick", "3")
    book.check()


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_text_of_the_widgets_is_readable_in_both_themes(notebook, theme) -> None:
    book = notebook(
        HEAD, BENCH, "OrderCompare(FourOrders(), word)", "BranchTree(TwoWays(), word)"
    )
    book.theme(theme)
    for name in ("bench", "orders", "branches"):
        look = book.widget(name).evaluate(LOOK)
        dark, light = sorted(
            sum(map(int, c.strip("rgba()").split(",")[:3])) for c in look
        )
        assert light - dark > 360, name
    book.check()
