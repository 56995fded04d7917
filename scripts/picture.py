"""The README's picture, drawn from the recording, and the bands at the chapters' heads.

The same drawing code makes the chapters' stills, so the page shows what was measured.
Without a recording there is no picture and nothing in its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labkit.figures.band import band
from labkit.figures.stills import svg
from labkit.figures.timeline import life
from labkit.records import Layer
from labkit.trace import Trace

__all__ = ["PLACE", "Picture", "bands", "draw"]

PLACE = Path("chapters/images/request.svg")
RECORDINGS = "chapters/data/*request.json"


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG and what it says in words."""

    svg: str
    alt: str


def draw(root: Path) -> Picture | None:
    """The picture of the first recording of the book's request, if there is one."""
    recordings = sorted(root.glob(RECORDINGS))
    if not recordings:
        return None
    drawing = life(Trace.load(recordings[0]))
    text = svg(drawing)
    return Picture(text.rstrip("\n") + "\n", f"{drawing.title}. {drawing.alt}")


def bands(root: Path) -> dict[Path, str]:
    """The band of every chapter that has a source, and of the index."""
    numbers = {int(p.stem[:2]) for p in root.glob("chapters/src/[0-9][0-9]_*.py")}
    index = root.glob("chapters/src/index.py")
    return {
        **{root / PLACE.with_name("layers.svg"): band(None) + "\n" for _ in index},
        **_chapter_bands(root, numbers),
    }


def _chapter_bands(root: Path, numbers: set[int]) -> dict[Path, str]:
    return {
        root / PLACE.with_name(f"layer_{layer.chapter:02}.svg"): band(layer) + "\n"
        for layer in Layer
        if layer.chapter in numbers
    }
