"""Debian's chromium through Playwright, and a notebook page that keeps its errors.

A missing browser fails with the remedy; nothing here skips. `NotebookPage.check()` is
part of every test: no error may have reached the page or its console.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, sync_playwright

from tests.support.jupyter import JupyterLab

ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
IDLE = """() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session
  ?.kernel?.status === 'idle'
  && ![...document.querySelectorAll('.jp-InputPrompt')]
    .some(prompt => prompt.textContent.includes('*'))"""
STARTED = """() => !/\\[ \\]/.test(
  [...document.querySelectorAll('.jp-InputPrompt')].at(-1)?.textContent ?? '')"""
ADD_CELL = """source => {
  const { commands, shell } = window.jupyterapp;
  const notebook = shell.currentWidget.content;
  notebook.activeCellIndex = notebook.widgets.length - 1;
  commands.execute('notebook:insert-cell-below');
  notebook.activeCell.model.sharedModel.setSource(source);
  commands.execute('notebook:run-cell');
}"""
CUT_LAST = """() => {
  const { commands, shell } = window.jupyterapp;
  const notebook = shell.currentWidget.content;
  notebook.activeCellIndex = notebook.widgets.length - 1;
  return commands.execute('notebook:cut-cell');
}"""
RUN_ALL = "() => window.jupyterapp.commands.execute('notebook:run-all-cells')"
THEME = (
    "name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})"
)
THEMED = "name => document.body.dataset.jpThemeName === name"
ARTEFACTS = Path("test-artifacts")
NO_CHROMIUM = (
    "There is no `chromium` on PATH, which the browser tests drive: install it "
    "(Debian: apt install chromium fonts-noto-cjk fonts-noto-color-emoji)."
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser; fails with a sentence where none is installed."""
    path = shutil.which("chromium")
    assert path is not None, NO_CHROMIUM
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        yield browser
        browser.close()


class NotebookPage:
    """A notebook open in JupyterLab, its kernel idle."""

    def __init__(self, browser: Browser, lab: JupyterLab, notebook: str) -> None:
        self.context = browser.new_context(viewport={"width": 1400, "height": 1000})
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self._own = lab.url
        self._allowed: tuple[str, ...] = ()
        self.page.on("pageerror", lambda e: self.errors.append(f"page: {e}"))
        self.page.on("console", self._note)
        self.page.on("request", self._watch)
        self.page.goto(lab.page_url(notebook))
        self.page.wait_for_function(IDLE, timeout=60_000)

    def run_all(self) -> None:
        """Run every cell; returns when the last one is done."""
        self.page.evaluate(RUN_ALL)
        self.wait_idle()

    def wait_idle(self) -> None:
        """Return when the kernel has nothing to do."""
        self.page.wait_for_function(IDLE, timeout=120_000)

    def add_cell_and_run(self, source: str) -> None:
        """A new last cell, set going; does not wait for it."""
        self.page.evaluate(ADD_CELL, source)
        self.page.wait_for_function(STARTED, timeout=30_000)

    def cut_last_cell(self) -> None:
        """Remove the last cell and what it shows."""
        self.page.evaluate(CUT_LAST)

    def allow_failed_requests(self) -> None:
        """Let a test that answers 500 on purpose pass `check()`."""
        self._allowed = ("Failed to load resource",)

    def theme(self, name: str) -> None:
        """Switch to "JupyterLab Light" or "JupyterLab Dark"."""
        self.page.evaluate(THEME, name)
        self.page.wait_for_function(THEMED, arg=name)

    def widget(self, name: str) -> Locator:
        """The first widget of the class `.lab-NAME`, shown."""
        found = self.page.locator(f".lab-{name}").first
        found.wait_for(timeout=30_000)
        found.scroll_into_view_if_needed()
        return found

    def outputs(self) -> str:
        """All text that cells printed."""
        return "\n".join(self.page.locator(".jp-OutputArea-output").all_inner_texts())

    def check(self) -> None:
        """Assert that no error and no request to another host was seen."""
        assert not self.errors, "\n".join(self.errors)

    def close(self, shot: str | None = None) -> None:
        """Close; first keep a screenshot as `test-artifacts/SHOT.png` if named."""
        if shot is not None:
            ARTEFACTS.mkdir(exist_ok=True)
            self.page.screenshot(path=ARTEFACTS / f"{shot}.png", full_page=True)
        self.context.close()

    def _note(self, message: object) -> None:
        kind, text = getattr(message, "type", ""), getattr(message, "text", "")
        if kind == "error" and not text.startswith(self._allowed):
            self.errors.append(f"console: {text}")

    def _watch(self, request: object) -> None:
        url = str(getattr(request, "url", ""))
        if url.startswith("http") and not url.startswith(self._own):
            self.errors.append(f"request to another host: {url}")
