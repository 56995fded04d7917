"""Still of a token stream: the pieces as chips, then the moments they arrived.

Pieces keep their order and their blanks (a blank is drawn as a small dot); a stream
that is too long for the card says how many pieces it leaves out.
"""

from __future__ import annotations

from labkit.figures.drawings import Chip, StreamDrawing
from labkit.figures.svg import Canvas, label, measure, number, ticks
from labkit.records import Layer

__all__ = ["draw_stream"]

WIDTH = 760
EDGE = 16.0
LINE = 26.0  # height of a line of chips
MAX_LINES = 6


def draw_stream(drawing: StreamDrawing) -> str:
    """Chips in lines, the lane of stamps with its axis, then the facts."""
    lines, left_out = _layout(drawing.chips)
    lane = 44 + LINE * max(1, len(lines)) + (18 if left_out else 0) + 44
    canvas = Canvas(WIDTH, round(lane + 88), drawing.title, drawing.alt)
    canvas.head()
    for i, line in enumerate(lines):
        for x, wide, words in line:
            y = 44 + LINE * i
            canvas.rect((x, y, wide, 20), "soft", radius=4)
            canvas.text((x + 5, y + 14), words, px=12, face="mono")
    if left_out:
        y = 44 + LINE * len(lines) + 10
        canvas.text((EDGE, y), f"and {left_out} more pieces", colour="mut", px=11)
    _lane(canvas, drawing, lane)
    x = EDGE
    for name, value in drawing.facts:
        canvas.text((x, lane + 56), name, colour="mut", px=11)
        canvas.text((x, lane + 74), value, px=13, face="bold")
        x += max(measure(name, 11), measure(value, 13)) + 26
    return canvas.done()


def _layout(
    chips: tuple[Chip, ...],
) -> tuple[list[list[tuple[float, float, str]]], int]:
    """Chips as (x, width, words) in lines, and how many did not fit."""
    lines: list[list[tuple[float, float, str]]] = []
    x = float(WIDTH)
    for i, chip in enumerate(chips):
        words = shown(chip.text)
        wide = measure(words, 13) + 12
        if x + wide > WIDTH - EDGE:
            if len(lines) == MAX_LINES:
                return lines, len(chips) - i
            lines.append([])
            x = EDGE
        lines[-1].append((x, min(wide, WIDTH - 2 * EDGE), words))
        x += wide + 4
    return lines, 0


def shown(text: str) -> str:
    """`text` with blanks and line ends that can be seen."""
    return text.replace(" ", "\u00b7").replace("\n", "\u23ce").replace("\t", "\u2192")


def _lane(canvas: Canvas, drawing: StreamDrawing, y: float) -> None:
    last = max((chip.time_ms for chip in drawing.chips), default=0.0) or 1.0
    scale = (WIDTH - 2 * EDGE - 12) / last
    canvas.path(f"M{number(EDGE)} {number(y)}H{number(WIDTH - EDGE)}", "grid")
    for i, pin in enumerate(drawing.pins):
        x, top = EDGE + pin.time_ms * scale, y - 34 + 14 * i
        canvas.path(f"M{number(x)} {number(top)}V{number(y + 8)}", "mut")
        words = f"{pin.name} {pin.time_ms:,.0f} ms"
        canvas.text((x + 5, top + 9), words, colour="mut", px=11)
    for chip in drawing.chips:
        canvas.dot(EDGE + chip.time_ms * scale, y, 3.5, Layer.STREAMING)
    for tick in ticks(0, last, 7):
        at = (EDGE + tick * scale, y + 22)
        anchor = "start" if tick == 0 else "middle"
        unit = " ms" if tick == 0 else ""
        canvas.text(at, label(tick) + unit, colour="mut", anchor=anchor, px=11)
