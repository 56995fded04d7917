"""A notebook whose kernel ends while it is open, and one that is opened again later."""

from __future__ import annotations

import json
import tomllib

import pytest
from playwright.sync_api import expect

from tests.support.jupyter import LABEXTENSIONS, ROOT

pytestmark = pytest.mark.browser

HEAD = (
    "from labkit.figures.ttft import waterfall\n"
    "from labkit.records import Layer\n"
    "from labkit.widgets import TraceBar, TTFTWaterfall\n"
    "from labkit.widgets.figure import LiteFigure\n"
    "from labkit.widgets.predict import Predict\n"
    "from tests.support.requests import trace\n"
)
CELLS = (
    "TraceBar(trace(), lit=Layer.STREAMING)",
    "TTFTWaterfall([trace()])",
    "LiteFigure(waterfall(trace()))",
    "Predict('Which is longer?', options=['prefill', 'decode'])",
)


def test_widgets_tell_that_the_kernel_ended_and_show_their_stills_later(
    notebook,
) -> None:
    book = notebook(HEAD, *CELLS)
    page = book.page
    asleep = page.locator(".lab-asleep:visible")
    page.locator(".lab-figure .main-svg").first.wait_for(timeout=60_000)
    book.add_cell_and_run("sum(1 for _ in range(3_000_000))")  # busy is not dead
    expect(asleep).to_have_count(0)
    book.wait_idle()
    book.cut_last_cell()

    book.allow_ended_kernel()
    book.restart_kernel()
    expect(asleep).to_have_count(len(CELLS))
    expect(asleep.first).to_contain_text("Run its cell (Shift+Enter)")
    expect(book.widget("predict").get_by_role("button").first).to_be_disabled()
    expect(book.widget("ttft").get_by_label("Request")).to_be_disabled()
    expect(book.widget("trace-bar").get_by_role("button", name="Play")).to_be_enabled()

    book.come_back_later()
    expect(page.locator(".lab-earlier")).to_have_count(len(CELLS))
    assert "model not found" not in book.outputs()
    expect(page.locator(".jp-OutputArea-output img[alt]")).to_have_count(3)
    assert "prefill · decode" in book.outputs()
    book.run_all()
    expect(page.locator(".lab-earlier")).to_have_count(0)
    expect(book.widget("predict").get_by_role("button").first).to_be_visible()
    book.check()


def test_the_notebook_plugin_is_installed_with_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    for path in LABEXTENSIONS.iterdir():
        described = json.loads((path / "package.json").read_text(encoding="utf-8"))
        source = path.relative_to(ROOT).as_posix()
        assert shared[source] == f"share/jupyter/labextensions/{described['name']}"
        assert (path / described["jupyterlab"]["_build"]["load"]).is_file()
