"""What holds for every chapter once it has run; each chapter's tests import it.

So it looks at the page that those tests have open, and no chapter runs twice for it.
"""

from __future__ import annotations

import pytest

from tests.support.axe import violations
from tests.support.browser import NotebookPage

__all__ = [
    "test_axe_finds_no_fault_in_prose_and_outputs",
    "test_every_widget_fits_a_small_screen",
]

SHOWN = (".jp-OutputArea-output", ".jp-RenderedMarkdown")
TALLER = """() => {
  const panel = document.querySelector('.jp-NotebookPanel-notebook');
  const room = panel.getBoundingClientRect().height;
  return [...panel.querySelectorAll('.jp-OutputArea-output .lab')]
    .map((node) => [node.className, Math.round(node.getBoundingClientRect().height)])
    .filter(([, height]) => height > room);
}"""
WIDER = """() => [...document.querySelectorAll('.jp-OutputArea-output .lab')]
  .filter((node) => node.getBoundingClientRect().right
    > node.closest('.jp-OutputArea-output').getBoundingClientRect().right + 1)
  .map((node) => node.className)"""


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_axe_finds_no_fault_in_prose_and_outputs(
    book: NotebookPage, theme: str
) -> None:
    book.theme(theme)
    assert violations(book.page, SHOWN) == []


@pytest.mark.parametrize("width", [1280, 800])
def test_every_widget_fits_a_small_screen(book: NotebookPage, width: int) -> None:
    before = book.page.viewport_size
    book.page.set_viewport_size({"width": width, "height": 720})
    try:
        assert book.page.evaluate(TALLER) == [] or width == 800
        assert book.page.evaluate(WIDER) == []
    finally:
        book.page.set_viewport_size(before)
