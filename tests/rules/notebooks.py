"""What a committed chapter must look like, so that it reads well without a kernel."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from labkit.book.parts import part_of
from scripts.bookbuild.first_cell import COLAB
from scripts.bookbuild.solutions import is_solution, unfold

MAX_BYTES = 400_000
MAX_BYTES_TOGETHER = 8_000_000
MAX_VISIBLE_LINES = 12
MAX_FOLDED_LINES = 20  # of a cell that JupyterLab shows folded
MAX_VISIBLE_LINES_TOGETHER = 150  # of a chapter, blank lines and folded cells apart
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
        if is_solution(cell):  # Run All would then solve the reader's exercise
            faults.append(f"cell {cell['id']}: a solution that Run All would run")
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
    """Cells that are too long or too wide, and a chapter that shows too much code."""
    faults = [fault for cell in notebook["cells"] for fault in cell_faults(cell)]
    total = sum(num_visible_lines(cell) for cell in code_cells(notebook))
    if total > MAX_VISIBLE_LINES_TOGETHER:
        limit = MAX_VISIBLE_LINES_TOGETHER
        faults.append(f"{total} visible lines of code, at most {limit}")
    return faults


def num_visible_lines(cell: dict[str, Any]) -> int:
    """Lines of a code cell that a reader sees without opening it."""
    lines = [] if is_folded(cell) else text_of(cell).splitlines()
    return sum(bool(line.strip()) for line in lines)


def cell_faults(cell: dict[str, Any]) -> list[str]:
    """What is too long or too wide in one cell; a solution counts as folded code."""
    limit = MAX_FOLDED_LINES if hides_code(cell) else MAX_VISIBLE_LINES
    where, cell = f"cell {cell['id']}", unfold(cell)
    text = text_of(cell)
    if cell["cell_type"] == "markdown":
        count = len(words(text))
        return (
            [f"{where}: {count} words, at most {MAX_WORDS}"]
            if count > MAX_WORDS
            else []
        )
    lines = text.splitlines()
    widest = max(map(len, lines), default=0)
    faults = []
    if len(lines) > limit:
        faults.append(f"{where}: {len(lines)} lines, at most {limit}")
    if widest > MAX_COLUMNS:
        faults.append(f"{where}: {widest} columns, at most {MAX_COLUMNS}")
    return faults


def hides_code(cell: dict[str, Any]) -> bool:
    """True for folded code and for a solution."""
    return is_folded(cell) or is_solution(cell)


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


def set_up_cell(notebook: Notebook) -> str:
    """The code of the set-up cell; a cell for Colab may stand before it."""
    cells = code_cells(notebook)
    return next(text_of(c) for c in cells if COLAB not in c["metadata"].get("tags", []))


def start_faults(notebook: Notebook, name: str) -> list[str]:
    """A set-up cell that starts another part of the book, or none."""
    wanted = part_of(name).call
    return [] if wanted in set_up_cell(notebook) else [f"the set-up lacks {wanted}"]


def head_faults(notebook: Notebook) -> list[str]:
    """What the first cell lacks: a title, a picture, minutes, and what to press."""
    head = text_of(notebook["cells"][0])
    wanted = {
        "a title": r"^# \S",
        "a picture": r"!\[[^\]]+\]\(images/",
        "the minutes": r"\d+ minutes",
        "Shift+Enter": r"Shift\+Enter",
    }
    return [
        f"the head lacks {what}"
        for what, pattern in wanted.items()
        if not re.search(pattern, head, re.MULTILINE)
    ]


def first_cell(notebook: Notebook) -> str:
    """The set-up cell with the part's name taken out."""
    return re.sub(r"start\(.*\)", "start()", set_up_cell(notebook))


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
    """Cells whose text is not what the source says; solutions are compared as code."""
    opened = [unfold(cell) for cell in notebook["cells"]]
    built = [(cell["cell_type"], text_of(cell)) for cell in opened]
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
