"""The band at a chapter's head: twelve layers in the book's colours, one of them named.

A picture of where a chapter stands and nothing more: it holds no measurement. Each
layer has its number as well as its colour, and the chapter's own is wider and in words.
A dot runs along the twelve, as the request does; it rests for whoever asked their
system for less motion. The index has the band with no layer named.
"""

from __future__ import annotations

from labkit.figures.palette import LIGHT, NAMES
from labkit.figures.svg import Canvas, Face, measure, number
from labkit.records import Layer

__all__ = ["band"]

CELL, GAP, HEIGHT = 44, 4, 34  # pixels


RUN_S = 9  # of the dot, from the first layer to the last


def band(lit: Layer | None) -> str:
    """The band of `lit`'s chapter as SVG; None: the index."""
    words = f"{lit.chapter} {NAMES[lit]}" if lit else ""
    wide = max(CELL, round(measure(words, 13)) + 24) if lit else CELL
    width = (CELL + GAP) * (len(Layer) - 1) + wide + GAP
    canvas = Canvas(width, HEIGHT, *_words(lit))
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
    return canvas.done().removesuffix("</svg>") + _dot(width) + "</svg>"


def _words(lit: Layer | None) -> tuple[str, str]:
    """Title and description."""
    if lit is None:
        return (
            f"The {len(Layer)} layers of a request",
            "A dot runs along them in order.",
        )
    title = f"Layer {lit.chapter} of {len(Layer)}: {NAMES[lit]}"
    return title, "The twelve layers in order, this one lit."


def _dot(width: int) -> str:
    """A dot on the lower edge, and the style that moves it."""
    end = number(width - 2 * GAP)
    return (
        f"<style>@keyframes run{{to{{transform:translateX({end}px)}}}}"
        f".run{{animation:run {RUN_S}s linear infinite}}"
        "@media(prefers-reduced-motion:reduce){.run{animation:none}}</style>"
        f'<circle cx="{GAP}" cy="{HEIGHT - 3}" r="3" fill="{LIGHT[Layer.GATEWAY]}" '
        'class="run"/>'
    )
