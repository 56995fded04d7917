"""Installs this checkout into a kernel that has torch and numpy already, as Colab does.

Run by the first cell of every chapter where labkit is missing. It takes the versions of
constraints.txt for what is not there yet; what is there stays, torch and numpy to the
digit, so that a running kernel never loses the libraries it has loaded.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from importlib.metadata import distributions
from pathlib import Path

__all__ = ["constraints", "main"]

ROOT = Path(__file__).resolve().parent.parent
KEPT = ("torch", "numpy")  # never replaced
NEEDED = ("anywidget", "plotly")  # of the extra `book`: JupyterLab itself is not


def plain(name: str) -> str:
    """A distribution's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def constraints(pins: Iterable[str], installed: Mapping[str, str]) -> list[str]:
    """The pins of what is not installed, and what must stay as it is."""
    lines = [pin.strip() for pin in pins if "==" in pin and not pin.startswith("#")]
    absent = [pin for pin in lines if plain(pin.split("==")[0]) not in installed]
    kept = [f"{name}=={installed[name]}" for name in KEPT if name in installed]
    return absent + kept


def main() -> int:
    """Install; pip's exit code."""
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    installed = {plain(d.name): d.version for d in distributions()}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "constraints.txt"
        file.write_text("\n".join(constraints(pins, installed)), encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "install", "-q", "-c", str(file)]
        return subprocess.call([*pip, str(ROOT), *NEEDED])


if __name__ == "__main__":
    sys.exit(main())
