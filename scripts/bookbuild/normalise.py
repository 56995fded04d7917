"""An executed notebook → the one that is committed: the same bytes from the same run.

What belongs to one run only is dropped (views of widgets, progress, counters, memory
addresses, folders of this machine). What a reader would see broken is refused by the
name of its cell: a widget without a still, a script, a warning, an unsolved solution.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from labkit.errors import LabError
from scripts.bookbuild.solutions import fold, is_solution

__all__ = ["BuildError", "Notebook", "comparable", "normalise", "slugs"]

Notebook = dict[str, Any]
Cell = dict[str, Any]

KEPT: Final = ("name", "tags")  # of a cell's metadata
WIDGET: Final = "application/vnd.jupyter.widget-view+json"
LIVE: Final = (WIDGET, "application/vnd.plotly.v1+json", "application/javascript")
MEASUREMENT: Final = "measurement"  # tag of cells whose output differs each time
LIVE_ONLY: Final = "live"  # tag of cells whose output is for the reader's own page
FOLDED: Final = "plumbing"  # tag of cells whose code stands folded
METADATA: Final = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


class BuildError(LabError):
    """A chapter cannot be built; the text names the cell."""


def normalise(notebook: Notebook, root: Path) -> Notebook:
    """A new notebook with stable ids, counts, metadata and outputs."""
    cells = [
        _cell(*pair) for pair in zip(notebook["cells"], slugs(notebook), strict=True)
    ]
    count = 0
    for cell in cells:
        if cell["cell_type"] == "code":
            count += not is_solution(cell)
            cell["execution_count"] = count
            cell["outputs"] = _outputs(cell, root)
            _check_solution(cell)
    cells = [fold(cell) if is_solution(cell) else cell for cell in cells]
    return {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}


def comparable(notebook: Notebook) -> list[Cell]:
    """The cells, without what measurement cells printed."""
    cells = [dict(cell) for cell in notebook["cells"]]
    for cell in cells:
        if MEASUREMENT in cell["metadata"].get("tags", []):
            cell["outputs"] = []
    return cells


def slugs(notebook: Notebook) -> list[str]:
    """An id for each cell from its name or its first line, each one once."""
    seen: Counter[str] = Counter()
    found = []
    for cell in notebook["cells"]:
        lines = (line for line in cell["source"].splitlines() if line.strip(" #%"))
        words = cell["metadata"].get("name") or next(lines, "cell")
        plain = unicodedata.normalize("NFKD", words).lower()
        slug = re.sub(r"[^a-z0-9]+", "-", plain)[:48].strip("-") or "cell"
        seen[slug] += 1
        found.append(slug if seen[slug] == 1 else f"{slug}-{seen[slug]}")
    return found


def _cell(cell: Cell, slug: str) -> Cell:
    kept = {k: v for k, v in cell["metadata"].items() if k in KEPT}
    if FOLDED in cell["metadata"].get("tags", []):
        kept["jupyter"] = {"source_hidden": True}  # JupyterLab shows it folded
    text = {"cell_type": cell["cell_type"], "id": slug, "metadata": kept}
    outputs = {"outputs": cell["outputs"]} if cell["cell_type"] == "code" else {}
    return {**text, "source": cell["source"], **outputs}


def _outputs(cell: Cell, root: Path) -> list[Cell]:
    """Streams first, joined by name, since their interleaving is a race."""
    _refuse_stderr(cell)
    if LIVE_ONLY in cell["metadata"].get("tags", []):
        return []
    texts = [o["text"] for o in cell["outputs"] if o.get("name") == "stdout"]
    said = _as_seen("".join(texts))
    stream = {"name": "stdout", "output_type": "stream", "text": scrubbed(said, root)}
    shown = [_shown(o, cell, root) for o in cell["outputs"] if "data" in o]
    return [
        *([stream] if said else []),
        *(output for output in shown if output["data"]),
    ]


def _as_seen(text: str) -> str:
    """`text` as a terminal leaves it: each line after its last carriage return."""
    return "\n".join(line.rsplit("\r", 1)[-1] for line in text.split("\n"))


def _shown(output: Cell, cell: Cell, root: Path) -> Cell:
    """One display without live views; its still has to be there."""
    data = output["data"]
    if WIDGET in data and "text/html" not in data:
        raise BuildError(
            f"cell {cell['id']} shows a widget without a still: wrap it in a LabWidget "
            "that has a record()"
        )
    kept = {
        mime: scrubbed(value, root) if mime.startswith("text/") else value
        for mime, value in data.items()
        if mime not in LIVE
    }
    if "<script" in kept.get("text/html", ""):
        raise BuildError(f"cell {cell['id']} shows a script, which no page would run")
    new: Cell = {"output_type": output["output_type"], "data": kept, "metadata": {}}
    if output["output_type"] == "execute_result":
        new["execution_count"] = cell["execution_count"]
    return new


def _refuse_stderr(cell: Cell) -> None:
    """Progress bars may write to stderr; anything else is a fault of the chapter."""
    texts = [o["text"] for o in cell["outputs"] if o.get("name") == "stderr"]
    lines = "".join(texts).split("\n")
    said = [line for line in lines if line.strip() and "\r" not in line]
    if said:
        raise BuildError(f"cell {cell['id']} wrote to stderr: {said[0]}")


def _check_solution(cell: Cell) -> None:
    if not is_solution(cell):
        return
    texts = [o["text"] for o in cell["outputs"] if o["output_type"] == "stream"]
    signs = {line[:1] for line in "".join(texts).splitlines()}
    if "✓" not in signs or signs & {"✗", "…"}:
        said = "".join(texts).strip() or "nothing"
        raise BuildError(f"the solution in cell {cell['id']} does not pass: {said}")


def scrubbed(text: str, root: Path) -> str:
    """`text` without addresses, temporary names and this machine's folders."""
    for pattern, put in _scrubs(root):
        text = re.sub(pattern, put, text)
    return text


def _scrubs(root: Path) -> Iterable[tuple[str, str]]:
    yield r"0x[0-9a-f]{6,16}", "0x…"
    yield r"\S*ipykernel_\d+/\d+\.py", "<cell>"
    yield re.escape(str(root)) + r"/?", ""
