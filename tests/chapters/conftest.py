"""A copy of the chapters' folder, open in a JupyterLab of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser import NotebookPage
from tests.support.jupyter import ROOT, JupyterLab


@pytest.fixture(scope="module")
def book(
    request: pytest.FixtureRequest,
    chrome: Browser,
    weights: object,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[NotebookPage]:
    """The chapter that the module names in CHAPTER, every cell run."""
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("book")
    chapters = shutil.copytree(ROOT / "chapters", folder / "chapters")
    lab = JupyterLab(chapters, home)
    try:
        page = NotebookPage(chrome, lab, request.module.CHAPTER)
        page.run_all()
        failed = request.session.testsfailed
        yield page
        is_red = request.session.testsfailed > failed
        page.close(request.module.__name__ if is_red else None)
    finally:
        lab.stop()
