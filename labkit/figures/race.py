"""What rendering a growing Markdown text costs, for each strategy and chunk.

A `Race` is measured in a page (milliseconds, DOM nodes) or counted without one; the
lines of `race_lines()` are cumulative, so a straight line means constant cost a chunk.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from labkit.errors import ConfigError
from labkit.figures.drawings import Lines, Scale, Series
from labkit.figures.palette import LIGHT
from labkit.figures.svg import label, measure
from labkit.records import Layer

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Lane", "Race", "figure", "race_lines"]

LANE_LAYERS = (Layer.STREAMING, Layer.NETWORK, Layer.SAMPLING, Layer.CACHE)


@dataclass(frozen=True, slots=True)
class Lane:
    """One strategy: totals after each of the race's `seen` counts of characters."""

    name: str
    ms: tuple[float, ...]  # cumulative time in the page; () where none was measured
    nodes: tuple[int, ...]  # cumulative DOM nodes added or changed
    parsed: tuple[int, ...] = ()  # cumulative characters given to a parser


@dataclass(frozen=True, slots=True)
class Race:
    """All strategies over the same text in the same pieces."""

    chunk_chars: int
    num_chunks: int
    seen: tuple[int, ...]  # characters of the answer so far, at each point
    lanes: tuple[Lane, ...]

    def __post_init__(self) -> None:
        for lane in self.lanes:
            for series in (lane.ms, lane.nodes, lane.parsed):
                fits = len(series) in (0, len(self.seen))
                assert fits, (
                    f"{lane.name}: {len(series)} values, {len(self.seen)} points"
                )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, to be kept in `chapters/data`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Race:
        """Read what `to_dict` wrote or a page measured."""
        try:
            lanes = tuple(_lane(lane) for lane in data["lanes"])
            sizes = int(data["chunk_chars"]), int(data["num_chunks"])
            return cls(*sizes, tuple(map(int, data["seen"])), lanes)
        except (KeyError, TypeError, ValueError, AssertionError) as error:
            raise ConfigError(
                f"no record of a race: {error!r}; run it again"
            ) from error


def _lane(data: Mapping[str, Any]) -> Lane:
    return Lane(
        name=str(data["name"]),
        ms=tuple(map(float, data.get("ms", ()))),
        nodes=tuple(map(int, data.get("nodes", ()))),
        parsed=tuple(map(int, data.get("parsed", ()))),
    )


MODES = {
    "line": "lines",
    "dash": "lines",
    "dots": "markers",
    "line+dots": "lines+markers",
}
AXES: dict[str, dict[str, Any]] = {
    "linear": {"rangemode": "tozero"},
    "log2": {"type": "log", "dtick": math.log10(2), "tickformat": ",d"},
    "log10": {"type": "log", "tickformat": ",~g"},
}
NAME_ROOM = 15  # pixels from one name of a line to the next
PLOT_WIDTH = 500  # pixels between the axes in a column that is not wide
LEAST_MARGIN, MOST_MARGIN = 20, 220  # pixels right of the axes
UNITS = {
    "ms": "milliseconds",
    "nodes": "DOM nodes written",
    "parsed": "characters parsed",
}


VERBS = {
    "ms": "takes {} as long as",
    "nodes": "writes {} the DOM nodes of",
    "parsed": "parses {} the characters of",
}


def race_lines(race: Race, what: str | None = None) -> Lines:
    """Cumulative `what` over characters seen: "ms", "nodes" or "parsed".

    None takes the first of them that the race has.
    """
    what = what or next(
        (w for w in UNITS if any(_values(x, w) for x in race.lanes)), "ms"
    )
    assert what in UNITS, f"what={what!r}: use one of {', '.join(UNITS)}"
    series = [
        Series(lane.name, tuple(map(float, race.seen)), _values(lane, what), layer)
        for lane, layer in zip(race.lanes, LANE_LAYERS, strict=False)
        if _values(lane, what)
    ]
    return Lines(
        title=_title(race, series, what),
        alt=_alt(race, series, what),
        x_title=f"characters of the answer so far, {race.chunk_chars} a chunk",
        y_title=f"{UNITS[what]}, added up",
        series=tuple(series),
    )


def _values(lane: Lane, what: str) -> tuple[float, ...]:
    chosen: Sequence[float] = getattr(lane, what)
    return tuple(float(value) for value in chosen)


def _title(race: Race, series: Sequence[Series], what: str) -> str:
    if len(series) < 2:
        return f"{UNITS[what].capitalize()} over {race.num_chunks} chunks"
    most = max(series, key=lambda s: s.y[-1])
    least = min(series, key=lambda s: s.y[-1])
    if least.y[-1] <= 0:
        return f"{most.name}: {most.y[-1]:,.0f} {UNITS[what]}"
    times = f"{most.y[-1] / least.y[-1]:,.1f} times"
    return f"{most.name} {VERBS[what].format(times)} {least.name}"


def _alt(race: Race, series: Sequence[Series], what: str) -> str:
    ends = "; ".join(f"{s.name} {label(s.y[-1])}" for s in series) or "nothing measured"
    chars = race.seen[-1] if race.seen else 0
    head = f"After {chars:,} characters in {race.num_chunks:,} chunks"
    return f"{head}, {UNITS[what]}: {ends}."


def figure(drawing: Lines) -> go.Figure:
    """The lines as a plotly figure, each named at its own end."""
    import plotly.graph_objects as go  # noqa: PLC0415  seconds to import

    picture = go.Figure()
    for series, shift in zip(drawing.series, _shifts(drawing), strict=True):
        colour = LIGHT[series.layer]
        is_dash = series.style == "dash"
        picture.add_scatter(
            x=series.x,
            y=series.y,
            name=series.name,
            line={"color": colour, "dash": "dash" if is_dash else "solid"},
            mode=MODES[series.style],
            hovertemplate=_hover(drawing),
        )
        x_end, y_end = series.x[-1], series.y[-1]
        picture.add_annotation(  # on a logarithmic axis it is placed by its logarithm
            x=x_end if drawing.x_scale == "linear" else math.log10(x_end),
            y=y_end if drawing.y_scale == "linear" else math.log10(y_end),
            text=series.name,
            xshift=5,
            yshift=shift,
            xanchor="left",
            showarrow=False,
            font_color=colour,
        )
    margins = {"t": 64, "r": _name_room(drawing), "b": 56, "l": 70}
    picture.update_layout(
        title=drawing.title, showlegend=False, height=420, margin=margins
    )
    xs = [x for series in drawing.series for x in series.x]
    ys = [y for series in drawing.series for y in series.y]
    picture.update_xaxes(title=drawing.x_title, **_axis(drawing.x_scale, xs))
    picture.update_yaxes(title=drawing.y_title, **_axis(drawing.y_scale, ys))
    picture.update_xaxes(range=_x_range(drawing.x_scale, xs))
    return picture


def _hover(drawing: Lines) -> str:
    """What a point says: its line's name, then both axes by their titles."""
    x, y = drawing.x_title, drawing.y_title
    rows = (f"{x}: %{{x:,.6~g}}", f"{y}: %{{y:,.4~g}}")
    return "<br>".join(("<b>%{fullData.name}</b>", *rows)) + "<extra></extra>"


def _name_room(drawing: Lines) -> int:
    """Pixels right of the axes that the names at the lines' ends need."""
    is_log = drawing.x_scale != "linear"
    ends = [math.log(s.x[-1]) if is_log else s.x[-1] for s in drawing.series]
    starts = [math.log(s.x[0]) if is_log else s.x[0] for s in drawing.series]
    span = (max(ends) - min(starts)) or 1.0
    free = [PLOT_WIDTH * (max(ends) - end) / span for end in ends]
    pairs = zip(drawing.series, free, strict=True)
    needed = max(measure(series.name) + 10 - room for series, room in pairs)
    return round(min(max(needed, LEAST_MARGIN), MOST_MARGIN))


def _x_range(scale: Scale, xs: Sequence[float]) -> tuple[float, float]:
    """From the first point to the last; the names of lines stand beyond it."""
    is_log = scale != "linear"
    low, high = (math.log10(x) if is_log else x for x in (min(xs), max(xs)))
    if not is_log and 0 < low < 0.1 * high:
        low = 0.0
    edge = 0.015 * (high - low) or 0.5
    return (low - edge if low else low), high + edge


def _axis(scale: Scale, values: Sequence[float]) -> dict[str, Any]:
    """Plotly's words for an axis; ticks at powers of ten, or at 1, 2, 5 where few."""
    if scale != "log10":
        return AXES[scale]
    low, high = (math.log10(edge) for edge in (min(values), max(values)))
    steps = (1,) if high - low >= 2 else (1, 2, 5)
    powers = range(math.floor(low), math.ceil(high) + 1)
    ticks = [step * 10.0**power for power in powers for step in steps]
    return {**AXES[scale], "tickvals": ticks}


def _shifts(drawing: Lines) -> list[int]:
    """Pixels up for each name: off the axis, and apart where lines end together."""
    is_log = drawing.y_scale != "linear"
    heights = [math.log(s.y[-1]) if is_log else s.y[-1] for s in drawing.series]
    values = [y for series in drawing.series for y in series.y]
    low, high = min(values), max(values)
    near = 0.06 * (math.log(high / low) if is_log else high - min(0, low))
    order = sorted(range(len(heights)), key=heights.__getitem__)
    shifts = [0] * len(heights)
    floor = math.log(low) if is_log else min(0, low)
    if heights[order[0]] - floor < near / 2:
        shifts[order[0]] = NAME_ROOM // 2 + 1
    for lower, upper in pairwise(order):
        if heights[upper] - heights[lower] < near:
            shifts[upper] = shifts[lower] + NAME_ROOM
    return shifts
