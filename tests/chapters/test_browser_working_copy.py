"""A chapter read in the working copy: what its first screen shows, what stays hidden.

The kernel is a reader's: nothing is unlocked in it, and no question is answered.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from scripts.working_copy import FOLDER, renew
from tests.support.browser import NotebookPage, Windows
from tests.support.jupyter import ROOT, JupyterLab

CHAPTER = "10_streaming.ipynb"
AS_A_READER = 'import os\nos.environ.pop("PYTEST_VERSION", None)'
OPENED = "name => window.jupyterapp.shell.currentWidget?.context?.path.endsWith(name)"
SAVE = "() => window.jupyterapp.commands.execute('docmanager:save')"
# JupyterLab lays out what is near the screen; a reader scrolls and this test does not.
ALL_CELLS = ".jp-Cell, .jp-Cell * { content-visibility: visible !important; }"
IN_SIGHT = """() => {
  const isShown = node => {
    const { top, bottom } = node.getBoundingClientRect();
    return top >= 0 && bottom <= window.innerHeight;
  };
  const { node } = window.jupyterapp.shell.currentWidget;
  const head = node.querySelector('.jp-MarkdownCell');
  const picture = head.querySelector('img');
  return {
    title: isShown(head.querySelector('h1')),
    picture: isShown(picture) && picture.naturalWidth > 0,
    hint: head.innerText.includes('Shift+Enter') && isShown(head.lastElementChild),
  };
}"""

pytestmark = pytest.mark.browser

LEAK = "pixel.gif?secret=4711"


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    answer = subprocess.run(
        ["git", *who, *words], cwd=folder, capture_output=True, text=True, check=True
    )
    return answer.stdout


@pytest.fixture(scope="module")
def project(lab: JupyterLab) -> Path:
    """A checkout of the chapters, committed, with a working copy in it."""
    root = lab.folder / "project"
    shutil.copytree(ROOT / "chapters", root / "chapters")
    shutil.copy(ROOT / ".gitignore", root)
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "The book")
    renew(root, date(2026, 11, 29))
    path = root / FOLDER / CHAPTER
    book = json.loads(path.read_text(encoding="utf-8"))
    cell = {"cell_type": "code", "id": "reader", "metadata": {}, "source": AS_A_READER}
    book["cells"].insert(1, {**cell, "execution_count": None, "outputs": []})
    path.write_text(json.dumps(book), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def page(windows: Windows, project: Path, weights: object) -> Iterator[NotebookPage]:
    """The chapter, opened by its link in the index."""
    window, folder = windows.take(), f"{project.name}/{FOLDER}"
    index = NotebookPage(window, f"{folder}/index.ipynb").page
    index.get_by_role("link", name="10 · Streaming").click()
    index.wait_for_function(OPENED, arg=CHAPTER)
    yield NotebookPage(window, f"{folder}/{CHAPTER}")
    windows.give_back(window, is_whole=False)


def hidden_claims() -> list[str]:
    """Claims that the built chapter prints below a question of their section."""
    book = json.loads((ROOT / "chapters" / CHAPTER).read_text(encoding="utf-8"))
    found, is_asked = [], False
    for cell in book["cells"]:
        if cell["cell_type"] != "code":
            continue
        code = "".join(cell["source"])
        if "lab.section()" in code:
            is_asked = False
        if is_asked:
            found += re.findall(r"^✓ (.+)$", said(cell), re.MULTILINE)
        is_asked = is_asked or "lab.predict(" in code
    return found


def said(cell: dict[str, Any]) -> str:
    texts = [output.get("text", "") for output in cell["outputs"]]
    return "".join("".join(text) for text in texts)


def answers() -> list[str]:
    """Numbers that the built chapter reveals, long enough to be met nowhere else."""
    text = (ROOT / "chapters" / CHAPTER).read_text(encoding="utf-8")
    return re.findall(r"Answer: ([\d,]*\d[\d,.]*\d\d)\b", text)


def test_the_first_screen_has_a_title_a_picture_and_what_to_press(
    page: NotebookPage,
) -> None:
    page.page.set_viewport_size({"width": 1280, "height": 720})
    page.page.wait_for_function("() => [...document.images].every(one => one.complete)")
    assert page.page.evaluate(IN_SIGHT) == dict.fromkeys(
        ("title", "picture", "hint"), True
    )


def test_nothing_is_told_below_a_question_that_is_open(page: NotebookPage) -> None:
    page.page.add_style_tag(content=ALL_CELLS)
    page.run_all()
    shown = page.outputs()
    assert "Traceback" not in shown, "a claim failed, so its cell tells what it says"
    claims = hidden_claims()
    assert len(claims) >= 5
    assert [claim for claim in claims if claim in shown] == []
    numbers = [rf"(?<![\d,.]){re.escape(n)}(?!\d)" for n in answers()]
    assert [n for n in numbers if re.search(n, shown)] == []
    assert shown.count("Hidden until you lock your guess") >= 5
    page.forgive_requests(LEAK)  # section 10.5 shows how an image leaks, to a sink here
    page.check()


def test_git_sees_nothing_of_an_hour_of_reading(
    page: NotebookPage, project: Path
) -> None:
    page.page.evaluate(SAVE)
    saved = json.loads((project / FOLDER / CHAPTER).read_text(encoding="utf-8"))
    assert any(cell.get("outputs") for cell in saved["cells"])
    assert git(project, "status", "--porcelain") == ""


def test_skipping_every_guess_shows_what_was_hidden(page: NotebookPage) -> None:
    skip = page.page.get_by_role("button", name="Skip the guess")
    while before := skip.count():
        skip.first.click()
        expect(skip).not_to_have_count(before, timeout=30_000)
    expect(page.page.get_by_text("Hidden until you lock")).to_have_count(0)
    assert page.outputs().count("✓") >= len(hidden_claims())
