"""Debian's chromium through Playwright, and a notebook page that keeps its errors.

A missing browser fails with the remedy; nothing here skips. `NotebookPage.check()` is
part of every test: no error may have reached the page or its console.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import (
    Browser,
    Locator,
    Page,
    ViewportSize,
    sync_playwright,
)

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
RESTORED = "() => window.jupyterapp?.restored.then(() => true)"
OPEN = """async path => {
  const { commands } = window.jupyterapp;
  const widget = await commands.execute('docmanager:open', { path });
  await widget.context.ready;
  await widget.revealed;
}"""
LEAVE = """async () => {
  const { commands, serviceManager, shell } = window.jupyterapp;
  for (const widget of [...shell.widgets('main')]) {
    const session = widget.sessionContext?.session?.id;
    widget.dispose();
    if (session) await serviceManager.sessions.shutdown(session);
  }
  await commands.execute('apputils:change-theme', { theme: 'JupyterLab Light' });
}"""
RESTART = """() =>
  window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()"""
CLOSE = """async () => {
  const { commands, shell } = window.jupyterapp;
  const widget = shell.currentWidget;
  await commands.execute('docmanager:save');
  await widget.sessionContext.shutdown();
  widget.dispose();
}"""
VIEWPORT: ViewportSize = {"width": 1400, "height": 1000}
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


class Window:
    """JupyterLab in a browser's window, which shows one notebook after the other.

    To load JupyterLab is most of what a browser test computes, hence tests share it.
    """

    def __init__(self, browser: Browser, lab: JupyterLab) -> None:
        self.context = browser.new_context(viewport=VIEWPORT)
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.allowed: tuple[str, ...] = ()
        self._own = lab.url
        self.page.on("pageerror", self._note_page)
        self.page.on("console", self._note)
        self.page.on("request", self._watch)
        self.page.goto(lab.page_url())
        self.page.wait_for_function(RESTORED, timeout=60_000)

    def leave(self) -> None:
        """Close the notebook, end its kernel, and make the window as it was."""
        self.page.evaluate(LEAVE)
        self.page.unroute_all()
        self.page.set_viewport_size(VIEWPORT)
        self.page.mouse.move(0, 0)
        self.errors, self.allowed = [], ()

    def close(self) -> None:
        """Close the window itself."""
        self.context.close()

    def _note(self, message: object) -> None:
        kind, text = getattr(message, "type", ""), getattr(message, "text", "")
        if kind == "error" and not text.startswith(self.allowed):
            self.errors.append(f"console: {text}")

    def _note_page(self, error: object) -> None:
        if not str(error).removeprefix("Error: ").startswith(self.allowed):
            self.errors.append(f"page: {error}")

    def _watch(self, request: object) -> None:
        url = str(getattr(request, "url", ""))
        if url.startswith("http") and not url.startswith(self._own):
            self.errors.append(f"request to another host: {url}")


class Windows:
    """Lends windows of JupyterLab; one that was left whole is lent again."""

    def __init__(self, browser: Browser, lab: JupyterLab) -> None:
        self._browser = browser
        self._lab = lab
        self._idle: Window | None = None

    def take(self, *, alone: bool = False) -> Window:
        """A window; with `alone` one that nobody used before."""
        if alone or self._idle is None:
            return Window(self._browser, self._lab)
        window, self._idle = self._idle, None
        return window

    def give_back(self, window: Window, *, is_whole: bool) -> None:
        """Keep `window` for the next test, if it is as good as new."""
        window.leave()
        if is_whole and self._idle is None:
            self._idle = window
        else:
            window.close()


class NotebookPage:
    """A notebook open in a window of JupyterLab, its kernel idle."""

    def __init__(self, window: Window, notebook: str) -> None:
        self.window = window
        self.page = window.page
        self._notebook = notebook
        self._open()

    def _open(self) -> None:
        self.page.evaluate(OPEN, self._notebook)
        self.page.wait_for_function(IDLE, timeout=60_000)

    def restart_kernel(self) -> None:
        """Restart the kernel under the open notebook."""
        self.page.evaluate(RESTART)

    def come_back_later(self) -> None:
        """Save the notebook, end its kernel, close it, and open it once more."""
        self.page.evaluate(CLOSE)
        self._open()

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
        self.window.allowed = ("Failed to load resource",)

    def allow_ended_kernel(self) -> None:
        """Let what JupyterLab itself reports when a kernel ends pass `check()`."""
        self.window.allowed = (
            "Error: widget model not found",
            "Could not restore the debugger state",
            "Canceled future for ",
        )

    def forgive_requests(self, part: str) -> None:
        """Let requests so far whose address holds `part` pass `check()`."""
        errors = self.window.errors
        errors[:] = [error for error in errors if part not in error]

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
        assert not self.window.errors, "\n".join(self.window.errors)

    def photograph(self, shot: str) -> None:
        """Keep a screenshot as `test-artifacts/SHOT.png`."""
        ARTEFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTEFACTS / f"{shot}.png", full_page=True)
