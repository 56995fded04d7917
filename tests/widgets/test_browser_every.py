"""Every widget on a page of its own: axe finds no fault, and it fits a small screen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.support.axe import violations
from tests.support.bare_page import bare_page, render
from tests.widgets.test_base import EVERY

pytestmark = pytest.mark.browser

COLUMN = 847  # px for outputs in a window of 1280 with the file browser open
SCREEN = 560  # px of outputs that such a window of 720 shows


@pytest.fixture(scope="module")
def page(chrome: Browser) -> Iterator[Page]:
    with bare_page(chrome, COLUMN, 900) as made:
        yield made


@EVERY
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_fault_in_a_widget(page: Page, make, theme) -> None:
    render(page, make(), dark=theme == "dark")
    assert violations(page, ["body > div"]) == []


@EVERY
def test_a_widget_fits_a_small_screen(page: Page, make) -> None:
    root = render(page, make())
    box = root.bounding_box()
    assert box["height"] <= SCREEN
    assert page.evaluate("document.documentElement.scrollWidth") <= COLUMN
