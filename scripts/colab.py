"""Installs the book into a kernel that has torch and numpy already, as Colab does.

The cell for Colab at a chapter's top fetches this file and calls `install` with the
book's address; nothing of the project is there yet, so only the standard library is
used. It takes the versions of constraints.txt for what is missing; what is there stays,
torch and numpy to the digit, so that a running kernel never loses the libraries it has
loaded.
"""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path

__all__ = ["FOLDER", "constraints", "install"]

FOLDER = "labkit-book"  # where the book is cloned to, beside the notebook
KEPT = ("torch", "numpy")  # never replaced
NEEDED = ("anywidget", "plotly")  # of the extra `book`: JupyterLab itself is not

Run = Callable[[Sequence[str]], int]


def plain(name: str) -> str:
    """A distribution's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def constraints(pins: Iterable[str], installed: Mapping[str, str]) -> list[str]:
    """The pins of what is not installed, and what must stay as it is."""
    lines = [pin.strip() for pin in pins if "==" in pin and not pin.startswith("#")]
    absent = [pin for pin in lines if plain(pin.split("==")[0]) not in installed]
    kept = [f"{name}=={installed[name]}" for name in KEPT if name in installed]
    return absent + kept


def install(url: str, run: Run = subprocess.call) -> None:
    """Clone the book at `url` into this folder, install it, and go to its chapters."""
    root = Path(FOLDER)
    if not root.is_dir():
        command = ["git", "clone", "-q", "--depth=1", url, FOLDER]
        _obey(run, command, f"{url} could not be cloned: is the address right?")
    pins = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    installed = {plain(d.name): d.version for d in distributions()}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "constraints.txt"
        file.write_text("\n".join(constraints(pins, installed)), encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "install", "-q", "-c", str(file)]
        command = [*pip, f"./{FOLDER}", *NEEDED]
        _obey(run, command, "The book could not be installed: pip says why above.")
    os.chdir(root / "chapters")
    importlib.invalidate_caches()


def _obey(run: Run, command: Sequence[str], trouble: str) -> None:
    if code := run(command):
        raise RuntimeError(f"{trouble} (`{command[0]}` ended with {code})")
