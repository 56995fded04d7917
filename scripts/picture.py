"""The README's one picture: the book's request over time, drawn from its recording.

The same drawing code makes the chapters' stills, so the page shows what was measured.
Without a recording there is no picture and nothing in its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labkit.figures.stills import svg
from labkit.figures.timeline import life
from labkit.trace import Trace

__all__ = ["PLACE", "Picture", "draw"]

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
