"""The band at a chapter's head: twelve layers in the book's colours, one of them named.

A picture of where a chapter stands and nothing more: it holds no measurement. Each
layer has its number as well as its colour, and the chapter's own is wider and in words.
"""

from __future__ import annotations

from labkit.figures.palette import NAMES
from labkit.figures.svg import Canvas, Face, measure
from labkit.records import Layer

__all__ = ["band"]

CELL, GAP, HEIGHT = 44, 4, 34  # pixels


def band(lit: Layer) -> str:
    """The band of `lit`'s chapter as SVG."""
    words = f"{lit.chapter} {NAMES[lit]}"
    wide = max(CELL, round(measure(words, 13)) + 24)
    width = (CELL + GAP) * (len(Layer) - 1) + wide + GAP
    title = f"Layer {lit.chapter} of {len(Layer)}: {NAMES[lit]}"
    canvas = Canvas(width, HEIGHT, title, "The twelve layers in order, this one lit.")
    x = GAP / 2
    for layer in Layer:
        is_lit = layer is lit
        cell = wide if is_lit else CELL
        text = words if is_lit else str(layer.chapter)
        face: Face = "bold" if is_lit else "plain"
        colour = "bg" if is_lit else "fg"
        opacity = None if is_lit else 0.25
        canvas.rect((x, 3, cell, HEIGHT - 6), layer, radius=4, opacity=opacity)
        canvas.text(
            (x + cell / 2, 22), text, colour=colour, anchor="middle", px=13, face=face
        )
        x += cell + GAP
    return canvas.done()
