"""Solutions in a notebook: run by the build, then folded away as text.

A source has its solutions as code cells, which the build runs and which must pass. The
notebook has them as Markdown inside `<details>`, which GitHub, nbviewer, nbconvert,
Colab and JupyterLab all show closed, and which Run All does not run. `python -m
scripts.bookbuild.solutions FOLDER` writes notebooks in which they are code again, so
that CI runs them with their chapters.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

__all__ = ["SOLUTION", "fold", "main", "opened", "unfold"]

Cell = dict[str, Any]

SOLUTION: Final = "solution"  # tag of the cell, in the source and in the notebook
CHECKED: Final = "nbval-check-output"
FORM: Final = """\
<details>
<summary>Solution</summary>

```python
{code}
```

```text
{said}
```

</details>"""
_FORM: Final = re.compile(
    r"<details>\n<summary>Solution</summary>\n\n"
    r"```python\n(?P<code>.*)\n```\n\n```text\n(?P<said>.*)\n```\n\n</details>",
    re.DOTALL,
)


def is_solution(cell: Cell) -> bool:
    """True for a solution, as code or as text."""
    return SOLUTION in cell["metadata"].get("tags", [])


def fold(cell: Cell) -> Cell:
    """A Markdown cell with the code of a solution that was run, and what it said."""
    texts = [o["text"] for o in cell["outputs"] if o["output_type"] == "stream"]
    text = FORM.format(code=cell["source"], said="".join(texts).rstrip("\n"))
    metadata = {"tags": [SOLUTION]}
    head = {"cell_type": "markdown", "id": cell["id"]}
    return {**head, "metadata": metadata, "source": text}


def unfold(cell: Cell) -> Cell:
    """The code cell that `fold` was given; any other cell as it is."""
    source = cell["source"]
    text = source if isinstance(source, str) else "".join(source)
    found = _FORM.fullmatch(text)
    if cell["cell_type"] != "markdown" or not is_solution(cell) or found is None:
        return cell
    said = {"name": "stdout", "output_type": "stream", "text": f"{found['said']}\n"}
    return {
        "cell_type": "code",
        "execution_count": 1,
        "id": cell["id"],
        "metadata": {"tags": [SOLUTION, CHECKED]},
        "outputs": [said],
        "source": found["code"],
    }


def opened(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook with its solutions as code."""
    return {**notebook, "cells": [unfold(cell) for cell in notebook["cells"]]}


def main(arguments: Sequence[str]) -> int:
    """Write every chapter into the folder named, with its solutions as code."""
    root, folder = Path(__file__).resolve().parents[2], Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.ipynb"):
        old.unlink()
    for path in sorted((root / "chapters").glob("*.ipynb")):
        notebook = opened(json.loads(path.read_text(encoding="utf-8")))
        (folder / path.name).write_text(json.dumps(notebook), encoding="utf-8")
    data = folder / "data"
    if not data.exists():
        data.symlink_to(root / "chapters" / "data")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
