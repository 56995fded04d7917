"""Still of requests over time: a lane a request, a row a run, a table below.

What a request does is told by shape as well as by shade: a dotted line waits or stalls,
a tall bar is prefill, a low bar is decode with a tick for each token.
"""

from __future__ import annotations

from labkit.figures.drawings import Gantt, GanttBar, Kind
from labkit.figures.svg import Canvas, Face, label, measure, number, ticks
from labkit.records import Layer

__all__ = ["draw_gantt"]

WIDTH = 860
EDGE = 16.0
TOP = 62.0
ROW = 17.0  # height of one run of one request
LANE_GAP = 9.0
FACT = 22.0
KEYS: tuple[Kind, ...] = ("wait", "stall", "prefill", "decode")


def draw_gantt(drawing: Gantt) -> str:
    """The lanes on a common axis, then the facts of each run in columns."""
    num_runs = len(drawing.runs)
    lane = ROW * num_runs + LANE_GAP
    bottom = TOP + lane * len(drawing.lanes)
    height = round(bottom + 62 + FACT * (len(drawing.facts) + 1))
    canvas = Canvas(WIDTH, height, drawing.title, drawing.alt)
    canvas.head()
    left = EDGE + max((measure(x.name) for x in drawing.lanes), default=40) + 72
    scale = (WIDTH - EDGE - left) / (drawing.total_ms or 1.0)
    _key(canvas, left)
    _axis(canvas, drawing, (left, scale, bottom))
    for i, each in enumerate(drawing.lanes):
        top = TOP + lane * i
        canvas.text((EDGE, top + 12), each.name, face="bold")
        for k, name in enumerate(drawing.runs):
            y = top + ROW * k
            canvas.text((left - 8, y + 12), name, colour="mut", anchor="end", px=10.5)
            for bar in each.bars[k]:
                _bar(canvas, bar, left, scale, y)
            for time_ms in each.tokens_ms[k]:
                x = number(left + time_ms * scale)
                canvas.path(f"M{x} {number(y + 4)}v9", Layer.SAMPLING)
    _facts(canvas, drawing, bottom + 54)
    return canvas.done()


def _bar(canvas: Canvas, bar: GanttBar, left: float, scale: float, y: float) -> None:
    x, end = left + bar.start_ms * scale, left + bar.end_ms * scale
    wide = max(end - x, 1.0)
    if bar.kind == "prefill":
        canvas.rect((x, y + 1, wide, 14), Layer.COMPUTE, edge="bg")
    elif bar.kind == "decode":
        canvas.rect((x, y + 5, wide, 6), Layer.COMPUTE, opacity=0.4)
    else:
        dash = "1 4" if bar.kind == "wait" else "5 3"
        data = f"M{number(x)} {number(y + 8)}H{number(end)}"
        canvas.path(data, "mut", width=1.5, dash=dash)


def _key(canvas: Canvas, x: float) -> None:
    words = {"wait": "waits", "stall": "runs, but gets no token"}
    for kind in KEYS:
        _bar(canvas, GanttBar(kind, 0, 26), x, 1.0, 36)
        told = words.get(kind, kind)
        canvas.text((x + 32, 48), told, colour="mut", px=11)
        x += 32 + measure(told, 11) + 20


def _axis(canvas: Canvas, drawing: Gantt, place: tuple[float, float, float]) -> None:
    left, scale, bottom = place
    for tick in ticks(0, drawing.total_ms, 8):
        x = left + tick * scale
        canvas.path(f"M{number(x)} {number(TOP - 4)}V{number(bottom)}", "grid")
        anchor, unit = ("start", " ms") if tick == 0 else ("middle", "")
        if x < WIDTH - EDGE - 18:
            at = (x, bottom + 16)
            words = f"{label(tick)}{unit}"
            canvas.text(at, words, colour="mut", anchor=anchor, px=11)


def _facts(canvas: Canvas, drawing: Gantt, top: float) -> None:
    rows = [("", *drawing.runs), *drawing.facts]
    first = max(measure(row[0]) for row in rows) + 40
    for i, row in enumerate(rows):
        y = top + FACT * i
        if i:
            canvas.path(
                f"M{number(EDGE)} {number(y - 15)}h{number(first + 260)}", "grid"
            )
        canvas.text((EDGE, y), row[0], colour="mut")
        for k, value in enumerate(row[1:]):
            at = (EDGE + first + 110 + 140 * k, y)
            face: Face = "plain" if i else "bold"
            canvas.text(at, value, anchor="end", face=face)
