"""A copy of the chapters' folder, and a chapter of it open in JupyterLab."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.support.browser import NotebookPage, Windows
from tests.support.jupyter import ROOT, JupyterLab


@pytest.fixture(scope="module")
def book(
    request: pytest.FixtureRequest, windows: Windows, lab: JupyterLab, weights: object
) -> Iterator[NotebookPage]:
    """The chapter that the module names in CHAPTER, every cell run."""
    name = request.module.__name__.rsplit(".", 1)[-1]
    shutil.copytree(ROOT / "chapters", lab.folder / name / "chapters")
    num_failed = request.session.testsfailed
    page = NotebookPage(windows.take(), f"{name}/chapters/{request.module.CHAPTER}")
    page.run_all()
    yield page
    is_red = request.session.testsfailed > num_failed
    if is_red:
        page.photograph(name)
    windows.give_back(page.window, is_whole=not is_red)
