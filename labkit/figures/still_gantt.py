"""Still of requests over time: a lane a request, a row a run, a table below.

What a request does is told by shape as well as by shade: a dotted line waits or stalls,
a tall bar is prefill, a low bar is decode with a tick for each token. The worst gap
between two tokens of a run has a bracket, whatever the request did meanwhile.
"""

from __future__ import annotations

from labkit.figures.drawings import Gantt, GanttBar, Kind
from labkit.figures.pace import longest_gaps
from labkit.figures.svg import Canvas, Face, label, measure, number, ticks, wrap
from labkit.records import Layer

__all__ = ["draw_gantt"]

WIDTH = 860
EDGE = 16.0
TOP = 62.0  # under a title of one line
TITLE_PX, TITLE_LINE = 15.0, 20.0
ROW = 17.0  # height of one run of one request
LANE_GAP = 9.0
FACT = 22.0
KEYS: tuple[tuple[Kind, str], ...] = (
    ("wait", "waits"),
    ("stall", "runs, but gets no token"),
    ("prefill", "prefill"),
    ("decode", "decode, a tick a token"),
)


def draw_gantt(drawing: Gantt) -> str:
    """The lanes on a common axis, then the facts of each run in columns."""
    num_runs = len(drawing.runs)
    lane = ROW * num_runs + LANE_GAP
    titles = wrap(drawing.title, (WIDTH - 2 * EDGE) * 0.95, TITLE_PX)  # it is bold
    lanes_top = TOP + TITLE_LINE * (len(titles) - 1)
    bottom = lanes_top + lane * len(drawing.lanes)
    height = round(bottom + 62 + FACT * (len(drawing.facts) + 1))
    canvas = Canvas(WIDTH, height, drawing.title, drawing.alt)
    for i, words in enumerate(titles):
        canvas.text((EDGE, 26 + TITLE_LINE * i), words, px=TITLE_PX, face="bold")
    left = EDGE + max((measure(x.name) for x in drawing.lanes), default=40) + 72
    scale = (WIDTH - EDGE - left) / (drawing.total_ms or 1.0)
    _key(canvas, left, lanes_top - 26)
    _axis(canvas, drawing, (left, scale, lanes_top, bottom))
    gaps = [
        longest_gaps([x.tokens_ms[k] for x in drawing.lanes]) for k in range(num_runs)
    ]
    for i, each in enumerate(drawing.lanes):
        top = lanes_top + lane * i
        canvas.text((EDGE, top + 12), each.name, face="bold")
        for k, name in enumerate(drawing.runs):
            y = top + ROW * k
            words = name if num_runs > 1 else ""
            canvas.text((left - 8, y + 12), words, colour="mut", anchor="end", px=10.5)
            for bar in each.bars[k]:
                _bar(canvas, bar, left, scale, y)
            for time_ms in each.tokens_ms[k]:
                x = number(left + time_ms * scale)
                canvas.path(f"M{x} {number(y + 4)}v9", Layer.SAMPLING)
            if (gap := gaps[k][i]) is not None:
                _bracket(canvas, left + gap[0] * scale, left + gap[1] * scale, y)
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


def _bracket(canvas: Canvas, start: float, end: float, y: float) -> None:
    """From one token to the next, over the lower edge of the row."""
    data = f"M{number(start)} {number(y + 11)}v5H{number(end)}v-5"
    canvas.path(data, "fg", width=1.5)


def _key(canvas: Canvas, x: float, y: float) -> None:
    for kind, told in KEYS:
        _bar(canvas, GanttBar(kind, 0, 26), x, 1.0, y)
        for tick in (8, 17) if kind == "decode" else ():
            canvas.path(f"M{number(x + tick)} {number(y + 4)}v9", Layer.SAMPLING)
        x = _told(canvas, x, y, told)
    _bracket(canvas, x, x + 26, y)
    _told(canvas, x, y, "the worst gap")


def _told(canvas: Canvas, x: float, y: float, words: str) -> float:
    """What the sign at `x` means; where the next one goes."""
    canvas.text((x + 32, y + 12), words, colour="mut", px=11)
    return x + 32 + measure(words, 11) + 14


def _axis(
    canvas: Canvas, drawing: Gantt, place: tuple[float, float, float, float]
) -> None:
    left, scale, top, bottom = place
    for tick in ticks(0, drawing.total_ms, 8):
        x = left + tick * scale
        canvas.path(f"M{number(x)} {number(top - 4)}V{number(bottom)}", "grid")
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
