"""Stills of time: the trace bar and the waterfall, spans in their layer's colour.

Both are drawn to scale. A span is never drawn wider than its length, except that every
span has at least one pixel; its exact length stands beside it as a number.
"""

from __future__ import annotations

from labkit.figures.drawings import LayerCell, TraceDrawing, TraceStack, Waterfall
from labkit.figures.svg import Canvas, label, measure, number, ticks
from labkit.figures.timeline import as_stack
from labkit.records import Layer

__all__ = ["draw_traces", "draw_waterfall"]

WIDTH = 960
EDGE = 16.0  # free space at both sides
STRIP_TOP = 58.0
STRIP = 26.0  # height of the strip of time
CELL_GAP = 4.0
STEP = 72.0  # from one strip to the next
LINE = 14.0  # from one line of a cell to the next
ROW = 28.0


def draw_traces(drawing: TraceDrawing | TraceStack) -> str:
    """A strip of time a request, all on one scale, then twelve cells in order."""
    stack = as_stack(drawing)
    lives = stack.lives
    height = 196 + (STEP + LINE) * (len(lives) - 1)
    canvas = Canvas(WIDTH, round(height), drawing.title, drawing.alt)
    canvas.head()
    room = WIDTH - 2 * EDGE
    scale = room / (drawing.total_ms or 1.0)
    for i, life in enumerate(lives):
        _strip(canvas, life, (STRIP_TOP + STEP * i, scale), stack.names[i])
    bottom = STRIP_TOP + STEP * (len(lives) - 1) + STRIP
    _strip_axis(canvas, drawing.total_ms, (bottom, scale))
    wide = (room - CELL_GAP * 11) / 12
    for i, cells in enumerate(zip(*(life.cells for life in lives), strict=True)):
        at = (EDGE + i * (wide + CELL_GAP), bottom + 42)
        _cell(canvas, cells, (*at, wide, 40 + LINE * len(cells)), lives[0].lit)
    return canvas.done()


def _strip(
    canvas: Canvas, life: TraceDrawing, at: tuple[float, float], name: str
) -> None:
    """One request: its pins and its name above, then its stretches of time."""
    top, scale = at
    if name:
        canvas.text((EDGE, top - 24), name, face="bold")
    _strip_pins(canvas, life, at)
    canvas.rect((EDGE, top, WIDTH - 2 * EDGE, STRIP), "soft")
    for layer, start_ms, end_ms in _merged(life):
        is_dim = life.lit is not None and layer is not life.lit
        x, wide = EDGE + start_ms * scale, max((end_ms - start_ms) * scale, 1.0)
        opacity = 0.45 if is_dim else None
        canvas.rect((x, top, wide, STRIP), layer, opacity=opacity)


def _merged(life: TraceDrawing) -> list[tuple[Layer, float, float]]:
    """The segments, with neighbours of one layer as one; a still shows no names."""
    merged: list[tuple[Layer, float, float]] = []
    for part in life.segments:
        if merged and merged[-1][::2] == (part.layer, part.start_ms):
            merged[-1] = (part.layer, merged[-1][1], part.end_ms)
        else:
            merged.append((part.layer, part.start_ms, part.end_ms))
    return merged


def _strip_pins(canvas: Canvas, drawing: TraceDrawing, at: tuple[float, float]) -> None:
    """The marks, those near the right edge with their words to the left."""
    strip, scale = at
    top, bottom = number(strip - 8), number(strip + STRIP)
    for pin in drawing.pins:
        x = EDGE + pin.time_ms * scale
        canvas.path(f"M{number(x)} {top}V{bottom}", "mut")
        is_late = x > WIDTH - 160
        place = (x - 4 if is_late else x + 4, strip - 6)
        words = f"{pin.name} {pin.time_ms:,.1f} ms"
        anchor = "end" if is_late else "start"
        canvas.text(place, words, colour="mut", anchor=anchor, px=11)


def _strip_axis(canvas: Canvas, total_ms: float, at: tuple[float, float]) -> None:
    bottom, scale = at
    for tick in ticks(0, total_ms, 8):
        x = EDGE + tick * scale
        if x > WIDTH - EDGE - 20:
            continue  # its words would leave the card
        canvas.path(f"M{number(x)} {number(bottom)}v4", "mut")
        anchor, unit = ("middle", "") if tick else ("start", " ms")
        words = f"{label(tick)}{unit}"
        canvas.text((x, bottom + 16), words, colour="mut", anchor=anchor, px=11)


def _cell(
    canvas: Canvas,
    cells: tuple[LayerCell, ...],
    at: tuple[float, float, float, float],
    lit: Layer | None,
) -> None:
    """One layer: number, name, and its time in each of the requests."""
    x, y, wide = at[:3]
    layer, is_lit = cells[0].layer, cells[0].layer is lit
    canvas.rect(at, layer if is_lit else "soft", radius=5)
    if not is_lit:
        is_used = any(cell.spans for cell in cells)
        canvas.rect((x, y, wide, 4), layer if is_used else "grid")
    colour = "bg" if is_lit else "fg"
    quiet = "bg" if is_lit else "mut"
    canvas.text((x + 5, y + 19), f"{layer.chapter}", colour=quiet, px=10)
    canvas.text((x + 5, y + 32), cells[0].name, colour=colour, px=10.5, face="bold")
    for i, cell in enumerate(cells):
        shown = f"{cell.ms:,.1f} ms" if cell.spans else "not timed"
        canvas.text((x + 5, y + 46 + LINE * i), shown, colour=quiet, px=10.5)


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
