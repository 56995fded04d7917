"""Notebooks of a test's own, open in JupyterLab."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.browser import NotebookPage, Windows
from tests.support.jupyter import JupyterLab, write_notebook

Open = Callable[..., NotebookPage]


@pytest.fixture
def notebook(
    request: pytest.FixtureRequest, windows: Windows, lab: JupyterLab
) -> Iterator[Open]:
    """`notebook(*cells)` opens them in JupyterLab and runs them all.

    A test that looks at what the page keeps from one notebook to the next, or changes
    JupyterLab's own layout, asks for a window that no other test used: `alone=True`.
    """
    pages: list[NotebookPage] = []
    num_failed, must_be_new = request.session.testsfailed, False

    def open_page(*cells: str, alone: bool = False) -> NotebookPage:
        nonlocal must_be_new
        must_be_new = must_be_new or alone
        name = re.sub(r"\W+", "-", f"{request.node.name}-{len(pages)}")
        path = Path(lab.folder, f"{name}.ipynb")
        write_notebook(path, cells)
        page = NotebookPage(windows.take(alone=alone), path.name)
        pages.append(page)
        page.run_all()
        return page

    yield open_page
    has_failed = request.session.testsfailed > num_failed
    for page in pages:
        if has_failed:
            page.photograph(re.sub(r"\W+", "-", request.node.name))
        windows.give_back(page.window, is_whole=not (has_failed or must_be_new))
