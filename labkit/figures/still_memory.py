"""Still of a memory: what is stacked in it, up to its end, and what could be instead.

A part that consists of equal pieces shows the joints between them while they are wide
enough to see. The memory's end is a line with its name, also where the parts go beyond.
"""

from __future__ import annotations

from labkit.figures.drawings import Memory, MemoryPart
from labkit.figures.svg import Canvas, measure, number

__all__ = ["draw_memory"]

WIDTH = 760
EDGE = 16.0
TOP = 66.0  # of the memory's bar
BAR, ROW = 30.0, 26.0
LEAST_PIECE = 3.0  # px


def draw_memory(drawing: Memory) -> str:
    """The memory's bar, a line of words for each part, then the other bars."""
    below = TOP + BAR + 26
    foot = below + 18 * (len(drawing.parts) + 1) + 14
    height = round(foot + ROW * len(drawing.others) + 6)
    canvas = Canvas(WIDTH, height, drawing.title, drawing.alt)
    canvas.head()
    room = WIDTH - 2 * EDGE
    _stack(canvas, drawing, room / (drawing.scale or 1))
    for i, part in enumerate(drawing.parts):
        canvas.dot(EDGE + 5, below + 18 * i - 4, 5, part.layer)
        canvas.text((EDGE + 16, below + 18 * i), f"{part.name}: {part.size}")
    at = (EDGE + 16, below + 18 * len(drawing.parts))
    canvas.text(at, drawing.rest, colour="mut")
    _others(canvas, drawing.others, foot)
    return canvas.done()


def _stack(canvas: Canvas, drawing: Memory, scale: float) -> None:
    canvas.rect((EDGE, TOP, drawing.num_bytes * scale, BAR), "soft", edge="mut")
    x = EDGE
    for part in drawing.parts:
        wide = part.num_bytes * scale
        canvas.rect((x, TOP, max(wide, 1), BAR), part.layer)
        piece = wide / part.pieces
        for i in range(1, part.pieces if piece >= LEAST_PIECE else 0):
            canvas.path(f"M{number(x + i * piece)} {number(TOP)}v{BAR:g}", "bg")
        x += wide
    end = EDGE + drawing.num_bytes * scale
    canvas.path(f"M{number(end)} {number(TOP - 6)}v{BAR + 12:g}", "fg", width=2)
    is_late = end > EDGE + measure(drawing.room) + 8
    at = (end - 6 if is_late else end + 6, TOP - 8)
    canvas.text(at, drawing.room, anchor="end" if is_late else "start")


def _others(canvas: Canvas, others: tuple[MemoryPart, ...], y: float) -> None:
    """One bar a part, all on one scale, the size behind its end."""
    left = EDGE + max((measure(part.name) for part in others), default=0) + 12
    room = WIDTH - EDGE - left - max((measure(p.size) for p in others), default=0) - 12
    high = max((part.num_bytes for part in others), default=0) or 1
    for i, part in enumerate(others):
        wide = room * part.num_bytes / high
        canvas.text((left - 8, y + ROW * i + 13), part.name, anchor="end")
        canvas.rect((left, y + ROW * i, max(wide, 1), 18), part.layer, radius=2)
        at = (left + wide + 8, y + ROW * i + 13)
        canvas.text(at, part.size, colour="mut")
