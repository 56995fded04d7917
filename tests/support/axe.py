"""axe-core on what the book shows: each violation as one line, none is expected.

The script comes with the other packages of the widgets' JavaScript and is only used in
tests. JupyterLab's own frame is not looked at, the book's prose and outputs are.
"""

from __future__ import annotations

from collections.abc import Sequence

from playwright.sync_api import Page

from tests.support.jupyter import ROOT

__all__ = ["violations"]

SCRIPT = ROOT / "labkit" / "widgets" / "js" / "node_modules" / "axe-core" / "axe.min.js"
RUN = """async (selectors) => {
  const include = selectors.filter((s) => document.querySelector(s)).map((s) => [s]);
  const found = await axe.run({ include }, { resultTypes: ['violations'] });
  return found.violations.flatMap((rule) => rule.nodes.map(
    (node) => `${rule.id}: ${node.target.join(' ')}: ${node.html.slice(0, 160)}`));
}"""


def violations(page: Page, selectors: Sequence[str]) -> list[str]:
    """What axe-core objects to in the parts of `page` that `selectors` find."""
    assert SCRIPT.is_file(), f"{SCRIPT} is missing: run `make js`"
    if not page.evaluate("() => 'axe' in globalThis"):
        page.evaluate(SCRIPT.read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(RUN, list(selectors))
    return found
