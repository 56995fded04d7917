"""Still of lines: axes with round ticks, and each line's name at its own end.

There is no legend to look up: a name stands where its line stops, moved down only as
far as names would overlap. A linear y axis always contains zero; a logarithmic one
holds whole powers and, where there is room, their twos and fives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from labkit.figures.drawings import Lines, Scale, Series
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
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"
    left: float = 72.0
    top: float = 68.0
    bottom: float = 320.0

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a point goes."""
        across = _share(x, self.x_low, self.x_high, self.x_scale)
        up = _share(y, self.y_low, self.y_high, self.y_scale)
        width, height = self.right - self.left, self.bottom - self.top
        return self.left + across * width, self.bottom - up * height


def _share(value: float, low: float, high: float, scale: Scale) -> float:
    """How far `value` is from `low` to `high`, 0 to 1."""
    if scale == "linear":
        return (value - low) / (high - low)
    return math.log(value / low) / math.log(high / low)


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
        _line(canvas, series, points)
        at = (points[-1][0] + 10, height + 4)
        canvas.text(at, series.name, colour=series.layer, face="bold")
    return canvas.done()


def _line(canvas: Canvas, series: Series, points: list[tuple[float, float]]) -> None:
    """The series in its style; a line ends in a dot."""
    if series.style != "dots":
        data = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)
        dash = "6 4" if series.style == "dash" else None
        canvas.path(data, series.layer, width=1.5 if dash else 2.5, dash=dash)
    marked = points if "dots" in series.style else points[-1:]
    for x, y in marked if series.style != "dash" else ():
        canvas.dot(x, y, 3.5, series.layer)


def _frame(drawing: Lines) -> _Frame:
    names = max(measure(series.name) for series in drawing.series)
    xs = [x for series in drawing.series for x in series.x]
    ys = [y for series in drawing.series for y in series.y]
    x_low = min(xs)
    x_high = max(xs) if max(xs) > x_low else x_low + 1
    y_low, y_high = min(0.0, *ys), max(ys) * 1.05
    if drawing.y_scale != "linear":
        y_low, y_high = min(ys) / 1.1, max(ys) * 1.1
    y_high = y_high if y_high > y_low else y_low + 1
    scales = (drawing.x_scale, drawing.y_scale)
    return _Frame(WIDTH - names - 48, x_low, x_high, y_low, y_high, *scales)


def _ticks(low: float, high: float, scale: Scale, count: int) -> list[float]:
    """Round values within an axis."""
    if scale == "linear":
        return ticks(low, high, count)
    base, parts = (2, (1,)) if scale == "log2" else (10, (1, 2, 5))
    powers = range(math.floor(math.log(low, base)), math.ceil(math.log(high, base)) + 1)
    found = [part * float(base) ** power for power in powers for part in parts]
    inside = [value for value in found if low * 0.999 <= value <= high * 1.001]
    whole = [v for v in inside if round(math.log10(v), 6) % 1 == 0]
    return inside if scale == "log2" or len(inside) <= 2 * count else whole


def _axes(canvas: Canvas, drawing: Lines, frame: _Frame) -> None:
    left, right, bottom = frame.left, frame.right, frame.bottom
    for tick in _ticks(frame.y_low, frame.y_high, frame.y_scale, 5):
        y = frame.place(frame.x_low, tick)[1]
        canvas.path(f"M{number(left)} {number(y)}H{number(right)}", "grid")
        canvas.text((left - 8, y + 4), label(tick), colour="mut", anchor="end")
    for tick in _ticks(frame.x_low, frame.x_high, frame.x_scale, 6):
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
