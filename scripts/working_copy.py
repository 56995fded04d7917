"""The reader's own copy of the chapters, in `work/`, which git ignores.

It is the committed notebooks without outputs, so that nothing is told before it is run.
A notebook whose cells the reader has changed is never overwritten: it stays, or on
request is kept beside the new one under a name with the day's date. A notebook that is
missing, or whose cells are as they were handed out, follows the book by itself.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

__all__ = ["FOLDER", "clean", "fingerprint", "renew"]

FOLDER = "work"
IMAGES = "images"  # copied: Jupyter Server shows no file that a link leads to
DATA = "data"  # linked: only kernels read it
RECORD = ".handed-out.json"  # two hashes of each notebook as it was handed out
COLAB = "colab"  # tag of the cell that installs the book elsewhere
MAP = "map"  # tag of the index's map: it gives nothing away, so its output stays

Notebook = Mapping[str, Any]


def renew(root: Path, today: date, *, anew: bool = False) -> list[str]:
    """Bring `work/` up to date; sentences for the reader about what was done or left.

    With `anew` the edited notebooks too are handed out again, their edits kept beside.
    """
    folder = root / FOLDER
    is_first = not folder.is_dir()
    folder.mkdir(exist_ok=True)
    _copy(root / "chapters" / IMAGES, folder / IMAGES)
    _link(root / "chapters" / DATA, folder / DATA)
    handed = _read_record(folder)
    told = ["work/ is your copy of the chapters: write into it."] if is_first else []
    for source in sorted((root / "chapters").glob("*.ipynb")):
        told += _renew_one(
            source, folder / source.name, handed, today if anew else None
        )
    text = json.dumps(handed, indent=1, sort_keys=True)
    (folder / RECORD).write_text(f"{text}\n", encoding="utf-8")
    return told


def clean(notebook: Notebook) -> dict[str, Any]:
    """The notebook as it is handed out: nothing run, no cell for Colab."""
    cells = notebook["cells"]
    kept = [_blank(c) for c in cells if COLAB not in c["metadata"].get("tags", [])]
    return {**notebook, "cells": kept}


def _blank(cell: Mapping[str, Any]) -> Mapping[str, Any]:
    """The cell as if it had not been run."""
    if cell["cell_type"] != "code":
        return cell
    has_map = MAP in cell["metadata"].get("tags", [])
    outputs = [
        {k: v if k != "execution_count" else None for k, v in output.items()}
        for output in cell["outputs"]
        if has_map
    ]
    return {**cell, "outputs": outputs, "execution_count": None}


def fingerprint(notebook: Notebook) -> str:
    """A hash of the cells' texts; what running and saving change does not count.

    JupyterLab adds an empty cell where the last one is run, so empty cells don't count.
    """
    texts = [(c["cell_type"], "".join(c["source"])) for c in notebook["cells"]]
    kept = [pair for pair in texts if pair[1].strip()]
    return hashlib.sha256(json.dumps(kept).encode()).hexdigest()


def _renew_one(
    source: Path, target: Path, handed: dict[str, list[str]], today: date | None
) -> list[str]:
    """Hand out one notebook where that loses nothing; `today` means: in any case."""
    fresh = clean(json.loads(source.read_text(encoding="utf-8")))
    text = f"{json.dumps(fresh, indent=1, sort_keys=True, ensure_ascii=False)}\n"
    now = [fingerprint(fresh), hashlib.sha256(text.encode()).hexdigest()]
    before, there = handed.get(target.name, [""]), _fingerprint_of(target)
    told = []
    if there not in (None, before[0], now[0]):  # the reader has edited it
        if today is None:
            return [_left(target)] if before[0] != now[0] else []
        kept = _free_name(target, today)
        target.rename(kept)
        told.append(f"{FOLDER}/{kept.name} is what you had written.")
    if there is None or before != now or today is not None:
        target.write_text(text, encoding="utf-8")
    handed[target.name] = now
    return told


def _left(target: Path) -> str:
    return (
        f"{FOLDER}/{target.name} has your edits, so it was left as it is, though the "
        "book has a newer text: `make lab RENEW=1` hands it out and keeps yours beside."
    )


def _fingerprint_of(path: Path) -> str | None:
    """The fingerprint of a notebook; None without one, "" for what is no notebook."""
    if not path.exists():
        return None
    try:
        return fingerprint(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError):
        return ""


def _free_name(target: Path, today: date) -> Path:
    """`07_cache.2026-11-29.ipynb`, with a number where that is taken."""
    dated = target.with_suffix(f".{today.isoformat()}.ipynb")
    count = 2
    while dated.exists():
        dated = target.with_suffix(f".{today.isoformat()}-{count}.ipynb")
        count += 1
    return dated


def _read_record(folder: Path) -> dict[str, list[str]]:
    """Hashes of the cells' texts and of the whole file, by the notebook's name."""
    try:
        data = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return {
            str(name): [str(text), str(whole)] for name, (text, whole) in data.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _copy(source: Path, target: Path) -> None:
    """The newest files of `source` in `target`; other files there stay."""
    if target.is_symlink():
        target.unlink()
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)


def _link(source: Path, target: Path) -> None:
    """Make `source` reachable at `target`; a copy where the disk knows no links."""
    if target.exists() or not source.is_dir():
        return
    try:
        target.symlink_to(Path("..") / source.parent.name / source.name)
    except OSError:
        shutil.copytree(source, target, dirs_exist_ok=True)
