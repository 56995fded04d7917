"""SamplingBench and OrderCompare in JupyterLab, by keyboard and mouse.

What all three widgets of chapter 9 share is here too; BranchTree is next door.
"""

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
    expect(bench.locator(".lab-title")).to_contain_text("the draw picks '3'")
    expect(bench.locator(".lab-picked")).to_contain_text("picked")
    bench.get_by_role("button", name="All knobs off").press("Enter")
    expect(k).to_have_attribute("aria-valuetext", "off")
    expect(bench.locator(".lab-title")).to_contain_text("the draw picks '3'")
    book.check()


def test_temperature_0_is_shown_as_greedy(notebook) -> None:
    book = notebook(HEAD, BENCH)
    bench = book.widget("bench")
    slider = bench.get_by_role("slider", name="Temperature")
    draw = bench.get_by_role("row", name="draw")
    expect(draw).to_contain_text("by noise no. 0")
    slider.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "greedy")
    expect(draw).to_contain_text("greedy: takes the likeliest")
    expect(bench.locator(".lab-title")).to_contain_text("takes the likeliest")
    book.check()


def test_a_penalty_with_nothing_to_count_says_so(notebook) -> None:
    book = notebook(HEAD, "SamplingBench(Stages(num_written=0), word)")
    bench = book.widget("bench")
    for name in ("frequency_penalty", "presence_penalty"):
        row = bench.locator(f"[data-stage={name}]")
        expect(row).to_contain_text("nothing written yet")
        expect(row.locator("input")).to_be_disabled()
    repetition = bench.get_by_role("slider", name="Repetition penalty")
    expect(repetition).to_be_enabled()
    book.check()


def test_a_row_of_the_bench_is_read_with_its_columns(notebook) -> None:
    book = notebook(HEAD, BENCH)
    table = book.widget("bench").get_by_role("table", name="What each stage did")
    heads = table.get_by_role("columnheader")
    assert heads.all_text_contents()[3:] == [
        "survivors",
        "probability moved",
        "entropy, nats",
    ]
    row = table.get_by_role("row").filter(has=book.page.get_by_text("top_k"))
    expect(row.get_by_role("rowheader")).to_have_text("top_k")
    expect(row.get_by_role("cell")).to_have_count(5)
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
    book.page.keyboard.press("End")
    assert stages(bench)[-1] == "temperature"
    book.page.keyboard.press("Home")
    assert stages(bench)[0] == "temperature"
    expect(handle).to_be_focused()
    book.check()


def test_what_is_said_of_a_move_is_not_said_of_the_next_change(notebook) -> None:
    book = notebook(HEAD, BENCH)
    bench = book.widget("bench")
    said = bench.locator(":scope > output")
    handle = bench.get_by_role("button", name="Move Temperature")
    handle.press("ArrowDown")
    expect(said).to_contain_text("temperature is now stage 5 of 8")
    bench.get_by_label("Order of stages").select_option("mine")
    expect(said).to_contain_text("Order of mine.")
    expect(said).not_to_contain_text("is now stage")
    handle.press("ArrowDown")
    expect(said).to_contain_text("temperature is now stage 6 of 8")
    bench.get_by_role("button", name="All knobs off").press("Enter")
    expect(said).to_contain_text("All knobs are off.")
    expect(said).not_to_contain_text("is now stage")
    book.add_cell_and_run("bench.turn(min_p=0.2)")
    expect(said).to_contain_text("min_p 0.2 leaves")
    expect(said).not_to_contain_text("All knobs are off.")
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
    expect(widget.locator(".lab-title")).to_have_text(
        "All engines give the same distribution"
    )
    slider = widget.get_by_role("slider", name="Temperature")
    for _ in range(10):
        slider.press("ArrowRight")
    expect(widget.locator(".lab-title")).to_contain_text(
        "50.0 % of the probability would have to move"
    )
    expect(widget.locator("td").filter(has_text="0.500")).to_have_count(6)
    expect(widget.get_by_role("list", name="Order of SGLang")).to_contain_text("top_k")
    book.check()


NARROW = """(node, width) => {
  node.parentElement.style.width = `${width}px`;
  return node.scrollWidth - node.clientWidth;
}"""


@pytest.mark.parametrize("width", [900, 666, 520, 380])
def test_nothing_is_cut_off_where_the_cell_is_narrower_than_the_window(
    notebook, width
) -> None:
    book = notebook(
        HEAD, BENCH, "OrderCompare(FourOrders(), word)", "BranchTree(TwoWays(), word)"
    )
    for name in ("bench", "orders", "branches"):
        assert book.widget(name).evaluate(NARROW, width) == 0, name
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
