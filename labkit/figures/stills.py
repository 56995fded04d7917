"""Drawings as SVG stills: tables here, other kinds in `still_*.py`.

`svg(drawing)` is the only entry point. It never measures, rounds or decides what is
shown: the drawing says that. A kind of drawing that is missing here is a type error.
"""

from __future__ import annotations

from typing import assert_never

from labkit.figures.blocks import BlockGrid
from labkit.figures.drawings import (
    Drawing,
    Gantt,
    Lines,
    Memory,
    StreamDrawing,
    Table,
    TraceDrawing,
    TraceStack,
    Waterfall,
)
from labkit.figures.number_line import NumberLine, draw_number_line
from labkit.figures.still_blocks import draw_blocks
from labkit.figures.still_gantt import draw_gantt
from labkit.figures.still_lines import draw_lines
from labkit.figures.still_memory import draw_memory
from labkit.figures.still_stream import draw_stream
from labkit.figures.still_time import draw_traces, draw_waterfall
from labkit.figures.svg import Canvas, measure, wrap

__all__ = ["svg"]

ROW = 26  # height of a table row, px


def svg(drawing: Drawing) -> str:
    """The still of `drawing`: one SVG for light and dark pages."""
    match drawing:
        case Lines():
            return draw_lines(drawing)
        case Table() | NumberLine():
            return _told(drawing)
        case Waterfall():
            return draw_waterfall(drawing)
        case TraceDrawing() | TraceStack():
            return draw_traces(drawing)
        case StreamDrawing():
            return draw_stream(drawing)
        case Gantt():
            return draw_gantt(drawing)
        case BlockGrid() | Memory():
            return _of_cache(drawing)
        case _:
            assert_never(drawing)


def _told(drawing: Table | NumberLine) -> str:
    if isinstance(drawing, NumberLine):
        return draw_number_line(drawing)
    return _table(drawing)


def _of_cache(drawing: BlockGrid | Memory) -> str:
    if isinstance(drawing, BlockGrid):
        return draw_blocks(drawing)
    return draw_memory(drawing)


def _table(drawing: Table) -> str:
    rows = [drawing.head, *drawing.rows]
    columns = range(len(drawing.head))
    wide = [max(measure(row[j]) for row in rows) + 28 for j in columns]
    head = measure(drawing.title, 15) + 40
    width = round(max(sum(wide) + 24, head, 360))
    caption = wrap(drawing.alt, width - 32)
    height = 62 + ROW * len(rows) + 17 * len(caption)
    canvas = Canvas(width, height, drawing.title, drawing.alt)
    canvas.head()
    for i, row in enumerate(rows):
        y = 62 + ROW * i
        canvas.path(f"M16 {y + 8}H{width - 16}", "grid")
        x = 16.0
        for j in columns:
            colour = "mut" if i == 0 else "fg"
            canvas.text((x, y), row[j], colour=colour, face="plain" if i else "bold")
            x += wide[j]
    for k, line in enumerate(caption):
        canvas.text((16, 66 + ROW * len(rows) + 17 * k), line, colour="mut")
    return canvas.done()
