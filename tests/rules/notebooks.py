"""What a committed chapter must look like, so that it reads well without a kernel."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from labkit.book.parts import part_of

MAX_BYTES = 400_000
MAX_BYTES_TOGETHER = 8_000_000
MAX_VISIBLE_LINES = 12
MAX_FOLDED_LINES = 20  # of a cell that JupyterLab shows folded
MAX_COLUMNS = 88
MAX_WORDS = 120
MIN_CLAIMS = 5
MIN_WIDGETS = 2

NOTEBOOK_KEYS = {"kernelspec", "language_info"}
CELL_KEYS = {"name", "tags", "jupyter"}  # jupyter: the cell is folded
VIEWS = ("application/vnd.jupyter.widget", "application/vnd.plotly", "javascript")
FORBIDDEN = {
    "an address": r"\bat 0x|0x[0-9a-f]{8,16}",
    "a traceback": r"Traceback \(most recent call last\)",
    "an absolute path": r"(?<![\w./:])/(?:home|root|Users|tmp|work|opt|usr|var)/\w"
    r"|\b[A-Z]:\\\\",
    "a temporary name": r"ipykernel_\d+",
}

Notebook = dict[str, Any]


def code_cells(notebook: Notebook) -> list[dict[str, Any]]:
    """The notebook's code cells in order."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def text_of(cell: dict[str, Any]) -> str:
    """A cell's source as one string."""
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def is_folded(cell: dict[str, Any]) -> bool:
    """True where JupyterLab hides the cell's source until somebody opens it."""
    return bool(cell["metadata"].get("jupyter", {}).get("source_hidden"))


def form_faults(notebook: Notebook) -> list[str]:
    """Execution counts, metadata, views and errors that should not be there."""
    faults = []
    counts = [cell["execution_count"] for cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        faults.append(f"execution counts are {counts}, not 1 to {len(counts)}")
    if extra := sorted(set(notebook["metadata"]) - NOTEBOOK_KEYS):
        faults.append(f"notebook metadata has {extra}")
    for cell in notebook["cells"]:
        if extra := sorted(set(cell["metadata"]) - CELL_KEYS):
            faults.append(f"cell {cell['id']}: metadata has {extra}")
    for cell in code_cells(notebook):
        faults += [f"cell {cell['id']}: {fault}" for fault in output_faults(cell)]
    return faults


def output_faults(cell: dict[str, Any]) -> list[str]:
    """Errors and live views among a cell's outputs."""
    faults = []
    for output in cell["outputs"]:
        if output["output_type"] == "error":
            faults.append(f"ended in {output['ename']}")
        for mime in output.get("data", {}):
            if any(view in mime for view in VIEWS):
                faults.append(f"keeps a live view, {mime}")
    return faults


def budget_faults(notebook: Notebook) -> list[str]:
    """Cells that are too long or too wide."""
    faults = []
    for cell in notebook["cells"]:
        text, where = text_of(cell), f"cell {cell['id']}"
        lines = text.splitlines()
        if cell["cell_type"] == "code":
            widest = max(map(len, lines), default=0)
            limit = MAX_FOLDED_LINES if is_folded(cell) else MAX_VISIBLE_LINES
            if len(lines) > limit:
                faults.append(f"{where}: {len(lines)} lines, at most {limit}")
            if widest > MAX_COLUMNS:
                faults.append(f"{where}: {widest} columns, at most {MAX_COLUMNS}")
        elif (num_words := len(words(text))) > MAX_WORDS:
            faults.append(f"{where}: {num_words} words, at most {MAX_WORDS}")
    return faults


def words(markdown: str) -> list[str]:
    """Words a person reads: no HTML tags, no addresses, no table rules."""
    plain = re.sub(r"<[^>]+>|\]\([^)]*\)|https?://\S+", " ", markdown)
    return [word for word in plain.split() if re.search(r"\w", word)]


def size_faults(text: str) -> list[str]:
    """A file that is too large, or holds what differs from run to run."""
    num_bytes = len(text.encode())
    faults = []
    if num_bytes > MAX_BYTES:
        faults.append(f"{num_bytes} bytes, at most {MAX_BYTES}")
    for what, pattern in FORBIDDEN.items():
        if found := re.search(pattern, text):
            faults.append(f"holds {what}: {text[found.start() : found.end() + 40]!r}")
    return faults


def start_faults(notebook: Notebook, name: str) -> list[str]:
    """A first code cell that starts another part of the book, or none."""
    first = text_of(code_cells(notebook)[0])
    wanted = part_of(name).call
    return [] if wanted in first else [f"the first code cell lacks {wanted}"]


def first_cell(notebook: Notebook) -> str:
    """The first code cell with the part's name taken out."""
    return re.sub(r"start\(.*\)", "start()", text_of(code_cells(notebook)[0]))


def content_faults(notebook: Notebook, widgets: set[str]) -> list[str]:
    """Too few claims or widgets; `widgets` are the names that labkit has."""
    code = "\n".join(text_of(cell) for cell in code_cells(notebook))
    num_claims = len(re.findall(r"^\s*claim\(", code, flags=re.MULTILINE))
    used = {name for name in widgets if re.search(rf"\b{name}\(", code)}
    faults = []
    if num_claims < MIN_CLAIMS:
        faults.append(f"{num_claims} claims, at least {MIN_CLAIMS}")
    if len(used) < MIN_WIDGETS:
        faults.append(f"{len(used)} widgets {sorted(used)}, at least {MIN_WIDGETS}")
    return faults


def pairing_faults(notebook: Notebook, source: Notebook) -> list[str]:
    """Cells whose text is not what the source says."""
    built = [(cell["cell_type"], text_of(cell)) for cell in notebook["cells"]]
    wanted = [(cell["cell_type"], text_of(cell)) for cell in source["cells"]]
    if len(built) != len(wanted):
        return [f"{len(built)} cells, the source has {len(wanted)}: run make book"]
    pairs = zip(built, wanted, strict=True)
    return [
        f"cell {i} differs: run make book" for i, (a, b) in enumerate(pairs) if a != b
    ]


def load(path: Path) -> Notebook:
    """Read a notebook as plain JSON."""
    data: Notebook = json.loads(path.read_text(encoding="utf-8"))
    return data
