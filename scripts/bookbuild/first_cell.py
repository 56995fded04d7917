"""The first code cell, the same in every chapter but for the call of `start`.

It has the install guard, since the package may be missing. `scripts/colab.py` decides
what the guard installs and leaves torch and numpy as they are. The repository's address
is read from pyproject.toml.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from labkit.book.parts import Part
from labkit.errors import ConfigError

__all__ = ["first_cell", "repository", "with_first_cell"]

TEMPLATE = """\
import importlib.util
import os
import subprocess
import sys

if importlib.util.find_spec("labkit") is None:  # Colab, or a bare kernel
    if not os.path.exists("labkit-book"):
        clone = ["git", "clone", "-q", "--depth=1", "%(url)s"]
        subprocess.run([*clone, "labkit-book"], check=True)
    subprocess.run([sys.executable, "labkit-book/scripts/colab.py"], check=True)
    os.chdir("labkit-book/chapters")
    importlib.invalidate_caches()

from labkit.book import start

lab = %(call)s"""
MARK = '# %% tags=["plumbing"]\n'  # JupyterLab shows the cell folded

_MARK = re.compile(r"^# %%(?! \[markdown\])[^\n]*\n", re.MULTILINE)


def repository(root: Path) -> str:
    """The repository's address."""
    data = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return str(data["project"]["urls"]["Repository"])


def first_cell(part: Part, url: str) -> str:
    """The cell's text."""
    return TEMPLATE % {"call": part.call, "url": url}


def with_first_cell(source: str, part: Part, url: str) -> str:
    """A chapter's py:percent source with the right text in its first code cell."""
    mark = _MARK.search(source)
    if mark is None:
        raise ConfigError(f"{part.title}: no code cell; add one under the head")
    end = source.find("\n# %%", mark.end() - 1)
    rest = source[end:] if end >= 0 else "\n"
    return f"{source[: mark.start()]}{MARK}{first_cell(part, url)}\n{rest}"
