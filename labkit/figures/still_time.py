"""Stills of time: the trace bar and the waterfall, spans in their layer's colour.

Both are drawn to scale. A span is never drawn wider than its length, except that every
span has at least one pixel; its exact length stands beside it as a number.
"""

from __future__ import annotations

from labkit.figures.drawings import LayerCell, TraceDrawing, Waterfall
from labkit.figures.svg import Canvas, label, measure, number, ticks

__all__ = ["draw_trace", "draw_waterfall"]

WIDTH = 960
EDGE = 16.0  # free space at both sides
STRIP_TOP = 58.0
STRIP = 26.0  # height of the strip of time
CELL_GAP = 4.0
ROW = 28.0


def draw_trace(drawing: TraceDrawing) -> str:
    """The strip of time with its axis, then twelve cells in the layers' order."""
    canvas = Canvas(WIDTH, 196, drawing.title, drawing.alt)
    canvas.head()
    room = WIDTH - 2 * EDGE
    scale = room / (drawing.total_ms or 1.0)
    _strip_pins(canvas, drawing, scale)
    canvas.rect((EDGE, STRIP_TOP, room, STRIP), "soft")
    for part in drawing.segments:
        is_dim = drawing.lit is not None and part.layer is not drawing.lit
        x, wide = EDGE + part.start_ms * scale, max(part.ms * scale, 1.0)
        at = (x, STRIP_TOP, wide, STRIP)
        canvas.rect(at, part.layer, opacity=0.45 if is_dim else None)
    _strip_axis(canvas, drawing, scale)
    wide = (room - CELL_GAP * 11) / 12
    for i, cell in enumerate(drawing.cells):
        x = EDGE + i * (wide + CELL_GAP)
        _cell(canvas, cell, (x, 126.0, wide, 54.0), cell.layer is drawing.lit)
    return canvas.done()


def _strip_pins(canvas: Canvas, drawing: TraceDrawing, scale: float) -> None:
    top, bottom = number(STRIP_TOP - 8), number(STRIP_TOP + STRIP)
    for pin in drawing.pins:
        x = EDGE + pin.time_ms * scale
        canvas.path(f"M{number(x)} {top}V{bottom}", "mut")
        is_late = x > WIDTH - 160
        at = (x - 4 if is_late else x + 4, STRIP_TOP - 6)
        words = f"{pin.name} {pin.time_ms:,.1f} ms"
        anchor = "end" if is_late else "start"
        canvas.text(at, words, colour="mut", anchor=anchor, px=11)


def _strip_axis(canvas: Canvas, drawing: TraceDrawing, scale: float) -> None:
    bottom = STRIP_TOP + STRIP
    for tick in ticks(0, drawing.total_ms, 8):
        x = EDGE + tick * scale
        if x > WIDTH - EDGE - 20:
            continue  # its words would leave the card
        canvas.path(f"M{number(x)} {number(bottom)}v4", "mut")
        anchor, unit = ("middle", "") if tick else ("start", " ms")
        words = f"{label(tick)}{unit}"
        canvas.text((x, bottom + 16), words, colour="mut", anchor=anchor, px=11)


def _cell(
    canvas: Canvas,
    cell: LayerCell,
    at: tuple[float, float, float, float],
    is_lit: bool,
) -> None:
    x, y, wide = at[:3]
    fill = cell.layer if is_lit else "soft"
    canvas.rect(at, fill, radius=5)
    if not is_lit:
        canvas.rect((x, y, wide, 4), cell.layer if cell.spans else "grid")
    colour = "bg" if is_lit else "fg"
    quiet = "bg" if is_lit else "mut"
    canvas.text((x + 5, y + 19), f"{cell.layer.chapter}", colour=quiet, px=10)
    canvas.text((x + 5, y + 32), cell.name, colour=colour, px=10.5, face="bold")
    shown = f"{cell.ms:,.1f} ms" if cell.spans else "\u2013"
    canvas.text((x + 5, y + 46), shown, colour=quiet, px=10.5)


def draw_waterfall(drawing: Waterfall) -> str:
    """A row a part: its name, its bar on the common axis, its ms and its share."""
    bottom = 92 + ROW * len(drawing.rows)
    canvas = Canvas(WIDTH, round(bottom + 38), drawing.title, drawing.alt)
    canvas.head()
    left, right = _sides(drawing)
    scale = (right - left) / (drawing.total_ms or 1.0)
    for tick in ticks(0, drawing.total_ms, 6):
        x = left + tick * scale
        canvas.path(f"M{number(x)} 82V{number(bottom)}", "grid")
        canvas.text((x, bottom + 18), label(tick), colour="mut", anchor="middle")
    canvas.text((EDGE, bottom + 18), "milliseconds since the request", colour="mut")
    for i, row in enumerate(drawing.rows):
        y = 92 + ROW * i
        canvas.dot(EDGE + 5, y + 9, 4.5, row.layer)
        canvas.text((EDGE + 16, y + 13), row.name)
        for part in row.segments:
            at = (left + part.start_ms * scale, y, max(part.ms * scale, 1.0), 18.0)
            canvas.rect(at, part.layer, radius=2 if part.ms * scale > 6 else 0)
        numbers = f"{row.ms:,.2f} ms"
        canvas.text((WIDTH - EDGE - 62, y + 13), numbers, anchor="end")
        share = f"{row.share * 100:.1f} %"
        canvas.text((WIDTH - EDGE, y + 13), share, colour="mut", anchor="end")
    _pins(canvas, drawing, (left, scale, bottom))
    return canvas.done()


def _sides(drawing: Waterfall) -> tuple[float, float]:
    """Where the time axis begins and ends: right of the names, left of the numbers."""
    names = max((measure(row.name) for row in drawing.rows), default=60)
    return max(EDGE + 30 + names, 216.0), WIDTH - EDGE - 160


def _pins(
    canvas: Canvas, drawing: Waterfall, place: tuple[float, float, float]
) -> None:
    """The stamps as dashed lines; close ones have their names on separate lines."""
    left, scale, bottom = place
    for i, pin in enumerate(drawing.pins):
        x = left + pin.time_ms * scale
        y = 48.0 + 14 * (i % 3)
        data = f"M{number(x)} {number(y - 2)}V{number(bottom)}"
        canvas.path(data, "fg", dash="3 3")
        words = f"{pin.name} {pin.time_ms:,.1f} ms"
        canvas.text((x - 5, y + 4), words, anchor="end", px=11, face="bold")
