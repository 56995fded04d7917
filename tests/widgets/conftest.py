"""One JupyterLab for all browser tests of the widgets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.support.browser import NotebookPage
from tests.support.jupyter import JupyterLab, write_notebook

Open = Callable[..., NotebookPage]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: object) -> Any:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


FAILED = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterLab]:
    folder, home = tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("home")
    server = JupyterLab(folder, home)
    yield server
    server.stop()


@pytest.fixture
def notebook(
    request: pytest.FixtureRequest, chrome: Browser, lab: JupyterLab
) -> Iterator[Open]:
    """`notebook(*cells)` opens them in JupyterLab and runs them all."""
    pages: list[NotebookPage] = []

    def open_page(*cells: str) -> NotebookPage:
        name = re.sub(r"\W+", "-", f"{request.node.name}-{len(pages)}")
        path = Path(lab.folder, f"{name}.ipynb")
        write_notebook(path, cells)
        page = NotebookPage(chrome, lab, path.name)
        pages.append(page)
        page.run_all()
        return page

    yield open_page
    has_failed = request.node.stash.get(FAILED, False)
    shot = re.sub(r"\W+", "-", request.node.name) if has_failed else None
    for page in pages:
        page.close(shot)
