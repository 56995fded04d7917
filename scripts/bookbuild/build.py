"""Runs the sources of chapters, and writes or compares the executed notebooks.

Each chapter is one clean run from top to bottom in a fresh kernel, with the code of
this checkout. Nothing is written unless every cell ran. `--check` writes nothing: it
builds again and compares, outputs of measurements apart.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from labkit.book.parts import part_of
from labkit.clock import Clock, SystemClock
from labkit.errors import LabError
from scripts.address import public_address
from scripts.bookbuild.first_cell import with_band, with_first_cell
from scripts.bookbuild.normalise import (
    BuildError,
    Notebook,
    comparable,
    normalise,
    slugs,
)

__all__ = ["build", "differences", "execute", "main", "to_text"]

MAX_BYTES: Final = 400_000
CELL_LIMIT_S: Final = 600
ANSI: Final = re.compile(r"\x1b\[[0-9;]*m")


def main(arguments: Sequence[str] | None = None) -> int:
    """Build or check the chapters named, all without a name; the exit code."""
    parser = argparse.ArgumentParser("python -m scripts.bookbuild", description=__doc__)
    parser.add_argument("chapters", nargs="*", help="10, 10_streaming; none: all")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args(arguments)
    root = Path(__file__).resolve().parents[2]
    try:
        for source in sources(root, options.chapters):
            one(root, source, is_check=options.check)
    except LabError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def sources(root: Path, names: Sequence[str]) -> list[Path]:
    """The source files of the chapters named."""
    found = sorted((root / "chapters" / "src").glob("*.py"))
    if not names:
        return found
    chosen = [p for p in found if any(_is_meant(p.stem, name) for name in names)]
    missing = [n for n in names if not any(_is_meant(p.stem, n) for p in found)]
    if missing:
        known = ", ".join(path.stem for path in found) or "none"
        raise BuildError(f"no chapter {missing[0]!r}; there are: {known}")
    return chosen


def one(root: Path, source: Path, *, is_check: bool) -> None:
    """Build one chapter; write it, or compare it with the one that is there."""
    target = root / "chapters" / f"{source.stem}.ipynb"
    sync_top(root, source, is_check=is_check)
    say(f"{source.stem}")
    notebook = build(source, root, SystemClock())
    if not is_check:
        text = to_text(notebook)
        target.write_text(text, encoding="utf-8")
        say(f"{target.relative_to(root)}: {len(text.encode()):,} bytes")
        return
    if not target.exists():
        raise BuildError(f"{target.name} is missing: run `make book`")
    stale = differences(json.loads(target.read_text(encoding="utf-8")), notebook)
    if stale:
        names = ", ".join(stale)
        raise BuildError(f"{target.name} is stale in {names}: run `make book`")
    say(f"{target.relative_to(root)}: equal to a new run")


def sync_top(root: Path, source: Path, *, is_check: bool) -> None:
    """Put the generated top into the source, which then is what people read."""
    text = source.read_text(encoding="utf-8")
    part = part_of(source.stem)
    wanted = with_first_cell(with_band(text, part), part, public_address(root))
    if wanted == text:
        return
    if is_check:
        raise BuildError(f"{source.name}: its top is stale: run `make book`")
    source.write_text(wanted, encoding="utf-8")
    say(f"{source.name}: top written")


def build(source: Path, root: Path, clock: Clock) -> Notebook:
    """The normalised notebook of one clean run of `source`."""
    notebook = jupytext.read(source)
    execute(notebook, source, root, clock)
    found = normalise(notebook, root)
    nbformat.validate(found)
    return found


def execute(notebook: Any, source: Path, root: Path, clock: Clock) -> None:
    """Run every cell in a fresh kernel, in `chapters/`, saying each cell's time."""
    names = slugs(notebook)
    started = [0, clock.now()]

    def begin(cell: object, cell_index: int) -> None:
        started[:] = [cell_index, clock.now()]

    def end(cell: object, cell_index: int, execute_reply: object) -> None:
        took_s = clock.now() - started[1]
        say(f"  {cell_index + 1}/{len(names)} {names[cell_index]} {took_s:.1f} s")

    client = NotebookClient(
        notebook,
        timeout=CELL_LIMIT_S,
        store_widget_state=False,
        record_timing=False,
        resources={"metadata": {"path": str(source.parent.parent)}},
        on_cell_start=begin,
        on_cell_executed=end,
    )
    kernel = client.create_kernel_manager().kernel_spec
    assert kernel is not None, "the python3 kernel always has a specification"
    launch = [sys.executable, "-m", "ipykernel_launcher", "--log-level=ERROR"]
    kernel.argv = [*launch, "-f", "{connection_file}"]
    kernel.env = {"PYTHONHASHSEED": "0", "PYTHONPATH": str(root), "LAB_UNLOCKED": "1"}
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise BuildError(_failure(source, names[int(started[0])], error)) from None


def to_text(notebook: Notebook) -> str:
    """The notebook file: sorted keys, one final newline, small enough to read."""
    text = json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    num_bytes = len(text.encode())
    if num_bytes > MAX_BYTES:
        sizes = sorted((len(json.dumps(c)), c["id"]) for c in notebook["cells"])
        size, name = sizes[-1]
        raise BuildError(
            f"the notebook has {num_bytes:,} bytes, at most {MAX_BYTES:,}; the largest "
            f"cell is {name} with {size:,}"
        )
    return text


def differences(old: Notebook, new: Notebook) -> list[str]:
    """Ids of the cells that differ, measurements' outputs apart."""
    before, after = comparable(old), comparable(new)
    if len(before) != len(after):
        return [f"its number of cells ({len(before)}, now {len(after)})"]
    pairs = zip(before, after, strict=True)
    return [cell["id"] for was, cell in pairs if was != cell]


def say(line: str) -> None:
    """One line of progress."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _is_meant(stem: str, name: str) -> bool:
    wanted = Path(name).stem
    return wanted.zfill(2) in (stem, part_of(stem).name)


def _failure(source: Path, cell: str, error: Exception) -> str:
    where = f"{source.name}, cell {cell}"
    if isinstance(error, CellExecutionError):
        told = ANSI.sub("", error.traceback or "").strip().splitlines()
        tail = "\n".join(f"    {line}" for line in told[-12:])
        return f"{where} failed: {error.ename}: {error.evalue}\n{tail}"
    if isinstance(error, CellTimeoutError):
        return f"{where} took more than {CELL_LIMIT_S} s: replay it from chapters/data"
    return f"{where}: the kernel died; is there enough memory?"
