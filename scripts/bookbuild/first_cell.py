"""What is generated at a chapter's top: the band under its title, and the set-up cell.

The set-up is the same in every chapter but for the call of `start`. Where there is a
public address, a cell for Colab stands before it and runs `scripts/colab.py`, which
clones and installs; the working copy of `make lab` leaves that cell out.
"""

from __future__ import annotations

import re
from typing import Final

from labkit.book.parts import INDEX, Part, layer_of
from labkit.errors import ConfigError
from labkit.records import Layer

__all__ = ["COLAB", "colab_cell", "first_cell", "with_band", "with_first_cell"]

COLAB: Final = "colab"  # tag of the cell that installs the book elsewhere
NO_ADDRESS: Final = """
# If labkit is missing: this book has no public address yet to install it from, so run
# `make lab` in a copy of the project and open the chapter there."""
SET_UP: Final = """\
from labkit.book import start

lab = %(call)s"""
OPENING: Final = "\nlab.opening()"  # of all parts but the index, which has its map
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

_TITLE = re.compile(r"^# # [^\n]+\n", re.MULTILINE)
_MARK = re.compile(r"^# %%(?! \[markdown\])[^\n]*\n", re.MULTILINE)


def first_cell(part: Part, url: str | None) -> str:
    """The set-up cell's text; without an address it says how to get the package."""
    text = SET_UP % {"call": part.call}
    text += OPENING if part.chapter != INDEX else ""
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


def with_band(source: str, part: Part) -> str:
    """A chapter's source with its band under the title; other parts as they are."""
    layer, title = layer_of(part), _TITLE.search(source)
    if layer is None or title is None:
        return source
    name = f"images/layer_{layer.chapter:02}.svg"
    if name in source:
        return source
    band = f"![Layer {layer.chapter} of {len(Layer)}: {layer}]({name})"
    return f"{source[: title.end()]}#\n# {band}\n{source[title.end() :]}"


def _first(source: str, part: Part) -> re.Match[str]:
    mark = _MARK.search(source)
    if mark is None:
        raise ConfigError(f"{part.title}: no code cell; add one under the head")
    return mark


def _end(source: str, mark: re.Match[str]) -> int:
    """Where the cell that begins with `mark` ends."""
    end = source.find("\n# %%", mark.end() - 1)
    return end if end >= 0 else len(source)
