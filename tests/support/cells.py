"""Cells run one after another in a real kernel, with what each of them shows.

The kernel runs as a reader's does: nothing tells it that tests are running.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 120


@dataclass(frozen=True)
class Shown:
    """What one cell shows in the end, as plain text and as HTML, and its error."""

    plain: str
    html: str
    error: str
    trace: str = ""


def run_cells(
    cells: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> list[Shown]:
    """Run `cells` in `folder`; an error does not stop the ones after it."""
    notebook = nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, cells)])
    client = NotebookClient(
        notebook,
        timeout=LIMIT_S,
        allow_errors=True,
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
    )
    kernel = client.create_kernel_manager().kernel_spec
    assert kernel is not None
    launch = [sys.executable, "-m", "ipykernel_launcher", "--log-level=ERROR"]
    kernel.argv = [*launch, "-f", "{connection_file}"]
    known = {k: v for k, v in os.environ.items() if k not in ("PYTEST_VERSION",)}
    own = {"PYTHONPATH": str(ROOT), "IPYTHONDIR": str(folder / ".ipython")}
    client.execute(env={**known, **own, **(environment or {})})
    return [_shown(cell) for cell in notebook.cells]


def _shown(cell: nbformat.NotebookNode) -> Shown:
    plain, html, error, trace = [], [], "", ""
    for output in cell.outputs:
        if output.output_type == "error":
            error = f"{output.ename}: {output.evalue}"
            trace = "\n".join(output.traceback)
        elif output.output_type == "stream":
            plain.append(output.text)
        else:
            plain.append(output.data.get("text/plain", ""))
            html.append(output.data.get("text/html", ""))
    return Shown("\n".join(plain), "\n".join(html), error, trace)
