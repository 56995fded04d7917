"""The first code cell, the same in every chapter but for the number.

The install guard is all that has to live in it, since the package may be missing; it
pins what it finds of torch and numpy, so that an installation never replaces them. The
repository's address has one home, pyproject.toml.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from labkit.errors import ConfigError

__all__ = ["first_cell", "repository", "with_first_cell"]

TEMPLATE = """\
import importlib.util
import subprocess
import sys
from importlib.metadata import distributions

if importlib.util.find_spec("labkit") is None:  # Colab, or a bare kernel
    kept = ("numpy", "torch")  # what is there of these stays as it is
    pins = [f"{d.name}=={d.version}" for d in distributions() if d.name in kept]
    pip = [sys.executable, "-m", "pip", "install", "-q", "anywidget", "plotly", *pins]
    subprocess.run([*pip, "labkit @ git+%(url)s"], check=True)

from labkit.book import start

lab = start(chapter=%(chapter)d)"""

_MARK = re.compile(r"^# %%(?! \[markdown\])[^\n]*\n", re.MULTILINE)


def repository(root: Path) -> str:
    """The repository's address."""
    data = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return str(data["project"]["urls"]["Repository"])


def first_cell(chapter: int, url: str) -> str:
    """The cell's text."""
    return TEMPLATE % {"chapter": chapter, "url": url}


def with_first_cell(source: str, chapter: int, url: str) -> str:
    """A chapter's py:percent source with the right text in its first code cell."""
    mark = _MARK.search(source)
    if mark is None:
        raise ConfigError(f"chapter {chapter} has no code cell: add one under its head")
    end = source.find("\n# %%", mark.end() - 1)
    rest = source[end:] if end >= 0 else "\n"
    return f"{source[: mark.end()]}{first_cell(chapter, url)}\n{rest}"
