"""Still of lines: axes with round ticks, and each line's name at its own end.

There is no legend to look up: a name stands where its line stops, moved down only as
far as names would overlap. The y axis always contains zero.
"""

from __future__ import annotations

from dataclasses import dataclass

from labkit.figures.drawings import Lines
from labkit.figures.svg import Canvas, label, measure, number, ticks

__all__ = ["draw_lines"]

WIDTH, HEIGHT = 760, 380
NAME_GAP = 16.0  # least distance of two names, px


@dataclass(frozen=True, slots=True)
class _Frame:
    """The plot's sides in px and the values that they stand for."""

    right: float
    x_low: float
    x_high: float
    y_low: float
    y_high: float
    left: float = 72.0
    top: float = 68.0
    bottom: float = 320.0

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a point goes."""
        across = (x - self.x_low) / (self.x_high - self.x_low)
        up = (y - self.y_low) / (self.y_high - self.y_low)
        width, height = self.right - self.left, self.bottom - self.top
        return self.left + across * width, self.bottom - up * height


def draw_lines(drawing: Lines) -> str:
    """Axes, then one line a series with its name."""
    canvas = Canvas(WIDTH, HEIGHT, drawing.title, drawing.alt)
    canvas.head()
    frame = _frame(drawing)
    _axes(canvas, drawing, frame)
    heights = [frame.place(s.x[-1], s.y[-1])[1] for s in drawing.series]
    for series, height in zip(drawing.series, _spread(heights), strict=True):
        pairs = zip(series.x, series.y, strict=True)
        points = [frame.place(x, y) for x, y in pairs]
        canvas.polyline(points, series.layer, 2.5)
        canvas.dot(*points[-1], 3.5, series.layer)
        at = (points[-1][0] + 10, height + 4)
        canvas.text(at, series.name, colour=series.layer, face="bold")
    return canvas.done()


def _frame(drawing: Lines) -> _Frame:
    names = max(measure(series.name) for series in drawing.series)
    xs = [x for series in drawing.series for x in series.x]
    ys = [y for series in drawing.series for y in series.y]
    x_low, y_low = min(xs), min(0.0, *ys)
    x_high = max(xs) if max(xs) > x_low else x_low + 1
    y_high = max(ys) * 1.05 if max(ys) > y_low else y_low + 1
    return _Frame(WIDTH - names - 48, x_low, x_high, y_low, y_high)


def _axes(canvas: Canvas, drawing: Lines, frame: _Frame) -> None:
    left, right, bottom = frame.left, frame.right, frame.bottom
    for tick in ticks(frame.y_low, frame.y_high):
        y = frame.place(frame.x_low, tick)[1]
        canvas.path(f"M{number(left)} {number(y)}H{number(right)}", "grid")
        canvas.text((left - 8, y + 4), label(tick), colour="mut", anchor="end")
    for tick in ticks(frame.x_low, frame.x_high, 6):
        x = frame.place(tick, frame.y_low)[0]
        canvas.path(f"M{number(x)} {number(bottom)}v5", "mut")
        canvas.text((x, bottom + 19), label(tick), colour="mut", anchor="middle")
    canvas.text((16, frame.top - 16), drawing.y_title, colour="mut")
    below = ((left + right) / 2, bottom + 42)
    canvas.text(below, drawing.x_title, colour="mut", anchor="middle")


def _spread(heights: list[float]) -> list[float]:
    """Heights, moved down as far as their names need."""
    placed = list(heights)
    reached = float("-inf")
    for i in sorted(range(len(heights)), key=heights.__getitem__):
        reached = max(heights[i], reached + NAME_GAP)
        placed[i] = reached
    return placed
