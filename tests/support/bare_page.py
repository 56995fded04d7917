"""A widget's page code in an empty page: no notebook, no kernel, a model of values.

`set` and `on` work as a real model's do for this one page; nothing reaches Python. For
what a page does by itself this is a hundredth of the cost of a JupyterLab.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Locator, Page

__all__ = ["bare_page", "render"]

MOUNT = """async ({ esm, css, state, dark }) => {
  const values = { ...state };
  const listeners = {};
  const model = {
    get: (name) => values[name],
    set: (name, value) => {
      values[name] = value;
      [...(listeners[`change:${name}`] ?? [])].forEach((listener) => listener());
    },
    on: (name, listener) => (listeners[name] ??= new Set()).add(listener),
    off: (name, listener) => listeners[name]?.delete(listener),
    save_changes() {}, send() {},
  };
  const url = URL.createObjectURL(new Blob([esm], { type: 'text/javascript' }));
  const { default: widget } = await import(url);
  document.body.dataset.jpThemeLight = String(!dark);
  document.documentElement.style.colorScheme = dark ? 'dark' : 'light';
  const style = document.createElement('style');
  style.textContent = css;
  const host = document.createElement('div');
  document.body.replaceChildren(style, host);
  globalThis.model = model;
  globalThis.undo = await (typeof widget === 'function' ? widget() : widget)
    .render({ model, el: host });
}"""


@contextmanager
def bare_page(chrome: Browser, width: int = 1000, height: int = 700) -> Iterator[Page]:
    """An empty page of this size; an error in it fails the test that it ends."""
    page = chrome.new_page(viewport={"width": width, "height": height})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert not errors, "\n".join(errors)


def render(page: Page, widget: Any, *, dark: bool = False) -> Locator:
    """Draw `widget` as the only thing on `page`; its root."""
    names = [name for name in widget.traits(sync=True) if not name.startswith("_")]
    state = {name: getattr(widget, name) for name in names if name != "layout"}
    code = {"esm": str(widget._esm), "css": str(widget._css)}
    page.evaluate(MOUNT, {**code, "state": state, "dark": dark})
    return page.locator(".lab").first
