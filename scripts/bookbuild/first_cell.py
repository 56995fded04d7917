"""The set-up cell, the same in every chapter but for the call of `start`.

It is two lines where the package is installed. Where the book has a public address, a
cell for Colab stands before it and runs `scripts/colab.py`, which clones and installs;
the working copy of `make lab` leaves that cell out.
"""

from __future__ import annotations

import re
from typing import Final

from labkit.book.parts import Part
from labkit.errors import ConfigError

__all__ = ["COLAB", "colab_cell", "first_cell", "with_first_cell"]

COLAB: Final = "colab"  # tag of the cell that installs the book elsewhere
NO_ADDRESS: Final = """
# If labkit is missing: this book has no public address yet to install it from, so run
# `make lab` in a copy of the project and open the chapter there."""
SET_UP: Final = """\
from labkit.book import start

lab = %(call)s"""
INSTALL: Final = """\
import runpy
from importlib.util import find_spec
from urllib.request import urlretrieve

if find_spec("labkit") is None:  # Colab, or a bare kernel
    book = "%(url)s"
    script, _ = urlretrieve(f"{book}/raw/HEAD/scripts/colab.py", "colab.py")
    runpy.run_path(script)["install"](book)"""
MARK: Final = '# %% tags=["plumbing"]\n'  # JupyterLab shows the cell folded
COLAB_MARK: Final = f'# %% tags=["plumbing", "{COLAB}"]\n'

_MARK = re.compile(r"^# %%(?! \[markdown\])[^\n]*\n", re.MULTILINE)


def first_cell(part: Part, url: str | None) -> str:
    """The set-up cell's text; without an address it says how to get the package."""
    text = SET_UP % {"call": part.call}
    return text if url else f"{text}{NO_ADDRESS}"


def colab_cell(url: str) -> str:
    """The text of the cell that fetches and runs `scripts/colab.py`."""
    return INSTALL % {"url": url}


def with_first_cell(source: str, part: Part, url: str | None) -> str:
    """A chapter's py:percent source with the right text in its first code cells."""
    mark = _first(source, part)
    if mark.group() == COLAB_MARK:
        source = source[: mark.start()] + source[_end(source, mark) :].lstrip("\n")
        mark = _first(source, part)
    colab = f"{COLAB_MARK}{colab_cell(url)}\n\n" if url else ""
    cell = f"{MARK}{first_cell(part, url)}\n"
    rest = source[_end(source, mark) :] or "\n"
    return f"{source[: mark.start()]}{colab}{cell}{rest}"


def _first(source: str, part: Part) -> re.Match[str]:
    mark = _MARK.search(source)
    if mark is None:
        raise ConfigError(f"{part.title}: no code cell; add one under the head")
    return mark


def _end(source: str, mark: re.Match[str]) -> int:
    """Where the cell that begins with `mark` ends."""
    end = source.find("\n# %%", mark.end() - 1)
    return end if end >= 0 else len(source)
