"""What the book holds: its chapters and appendices, read from the notebooks there are.

Nothing here is typed twice: a notebook that exists is a link with the minutes that its
head names, and one that does not exist is said to be missing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from labkit.book.parts import Part, part_of
from labkit.figures.path_map import Stop, as_html, as_markdown, as_text, layer_stop
from labkit.records import Layer

__all__ = ["Contents", "read_contents"]

_NUMBERED: Final = "[0-9][0-9]_*.ipynb"
_APPENDICES: Final = "appendix_*.ipynb"
_MINUTES: Final = re.compile(r"\b(\d+) minutes")
_TITLE: Final = re.compile(r"^# (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Contents:
    """The map of the book as a cell's output."""

    stops: tuple[Stop, ...]

    def __repr__(self) -> str:
        return as_text(self.stops)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {
            "text/html": as_html(self.stops),
            "text/markdown": as_markdown(self.stops),
            "text/plain": as_text(self.stops),
        }


def read_contents(folders: Iterable[Path], done: Callable[[Part], str]) -> Contents:
    """The map of the first folder that has chapters; `done` tells a part's progress."""
    places = [folder for folder in folders if any(folder.glob(_NUMBERED))]
    files = sorted(places[0].glob(_NUMBERED)) if places else []
    by_number = {path.name[:2]: path for path in files}
    layers = [_layer_stop(layer, by_number, done) for layer in Layer]
    appendices = sorted(places[0].glob(_APPENDICES)) if places else []
    return Contents((*layers, *(_appendix(path, done) for path in appendices)))


def _layer_stop(
    layer: Layer, files: dict[str, Path], done: Callable[[Part], str]
) -> Stop:
    part = Part(layer.chapter)
    path = files.get(part.name)
    if path is None:
        return layer_stop(layer, None, None)
    return layer_stop(layer, path.name, _minutes(_head(path)), done(part))


def _appendix(path: Path, done: Callable[[Part], str]) -> Stop:
    part, head = part_of(path.stem), _head(path)
    title = _TITLE.search(head)
    text = title[1] if title else part.title
    told = done(part)
    return Stop(part.title, text, None, path.name, _minutes(head), told)


def _head(path: Path) -> str:
    """The text of a notebook's first cell."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "".join(cells[0]["source"]) if cells else ""


def _minutes(head: str) -> int | None:
    found = _MINUTES.search(head)
    return int(found[1]) if found else None
