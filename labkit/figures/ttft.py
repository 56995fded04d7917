"""Time to first text as a sum of parts in the order in which they happened.

`waterfall(trace)` cuts a trace at its first visible text and gives each moment to its
innermost span; what no span covers is shown as "between spans", never hidden. The
parts therefore add up to the total. `figure()` draws the same value with plotly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from labkit.errors import TraceError
from labkit.figures.drawings import Segment, Waterfall, WaterfallRow
from labkit.figures.palette import LIGHT, layer_title
from labkit.figures.timeline import Stretch, innermost, pins_of
from labkit.records import Layer
from labkit.trace import Trace

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["ABOUT", "STAMPS", "figure", "waterfall"]

STAMPS = ("first_chunk", "first_token", "first_text")
GAP = "between spans"
ABOUT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "compose": "the client writes the request as JSON",
        "connect": "the client opens a TCP connection",
        "request": "the client hands the request's bytes to the network",
        "wait": "nothing is recorded but that the client waits",
        "parse": "the server reads and checks the JSON",
        "render": "the messages become one prompt, by the chat template",
        "tokenize": "the prompt is cut into tokens",
        "queue": "the request waits for its turn in the engine",
        "prefill": "the model computes all tokens of the prompt",
        "decode": "the engine computes the next token while this text travels",
        "sample": "one token is chosen from the model's distribution",
        "detokenize": "the token's bytes become text that may be shown",
        "flush": "the server writes the event to the connection",
        "read": "the client reads the answer's bytes from the connection",
        "unpack": "the client parses the bytes into events",
        GAP: "no span covers this time, such as hand-overs between threads",
    }
)


def waterfall(trace: Trace, name: str | None = None) -> Waterfall:
    """The parts of `trace`'s time to first text; `name` tells traces apart."""
    texts = trace.marks_named("first_text")
    if not texts:
        raise TraceError(
            f"trace {trace.request} has no mark 'first_text': "
            "it ended before any text was visible; record a longer answer"
        )
    total_s = texts[0].time_s
    line = innermost([s for s in trace.spans if s.start_s < total_s], total_s)
    rows = _rows(line, total_s)
    total_ms = _ms(total_s)
    label = name or str(trace.meta.get("label") or trace.request)
    most = max(rows, key=lambda row: row.ms).name
    return Waterfall(
        title=f"{label}: first text after {total_ms:,.1f} ms, mostly {most}",
        alt=_alt(rows, total_ms),
        total_ms=total_ms,
        rows=rows,
        pins=pins_of(trace, STAMPS),
    )


def _rows(line: Sequence[Stretch], total_s: float) -> tuple[WaterfallRow, ...]:
    """One row a span name and layer, in order of first start; gaps come last."""
    groups: dict[tuple[str, Layer], list[Stretch]] = {}
    for stretch in line:
        groups.setdefault((stretch.span.name, stretch.span.layer), []).append(stretch)
    rows = [
        _row(name, layer, [(s.start_s, s.end_s) for s in group], total_s)
        for (name, layer), group in groups.items()
    ]
    gaps = _gaps(line, total_s)
    if sum(end - start for start, end in gaps) > 0:
        rows.append(_row(GAP, Layer.CLIENT, gaps, total_s))
    return tuple(rows)


def _row(
    name: str, layer: Layer, times: Sequence[tuple[float, float]], total_s: float
) -> WaterfallRow:
    own_s = sum(end - start for start, end in times)
    parts = tuple(Segment(layer, _ms(start), _ms(end)) for start, end in times)
    share = round(own_s / total_s, 6) if total_s else 0.0
    return WaterfallRow(name, layer, parts, _ms(own_s), share, ABOUT.get(name, ""))


def _gaps(line: Sequence[Stretch], total_s: float) -> list[tuple[float, float]]:
    """Times from 0 to `total_s` that no span covers, the empty ones left out."""
    starts = [*(s.start_s for s in line), total_s]
    ends = [0.0, *(s.end_s for s in line)]
    pairs = zip(ends, starts, strict=True)
    return [(end, start) for end, start in pairs if start - end > 1e-9]


def _alt(rows: Sequence[WaterfallRow], total_ms: float) -> str:
    parts = "; ".join(
        f"{row.name} {row.ms:,.2f} ms ({row.share * 100:.1f} %)" for row in rows
    )
    return f"Parts of {total_ms:,.1f} ms in order: {parts}."


def figure(drawing: Waterfall) -> go.Figure:
    """The waterfall as a plotly figure: a bar a part, dashed lines for the stamps."""
    import plotly.graph_objects as go  # noqa: PLC0415  seconds to import

    rows = list(reversed(drawing.rows))  # plotly draws upwards
    picture = go.Figure()
    for row in rows:
        picture.add_bar(
            orientation="h",
            y=[row.name] * len(row.segments),
            base=[part.start_ms for part in row.segments],
            x=[part.ms for part in row.segments],
            name=layer_title(row.layer),
            marker={"color": LIGHT[row.layer], "line_width": 0},
            hovertemplate="<b>%{y}</b>: %{x:,.2f} ms from %{base:,.2f} ms"
            "<br>layer %{fullData.name}<extra></extra>",
        )
    for pin in drawing.pins:
        look = {"line_dash": "dash", "line_color": "#808080"}  # seen on both themes
        picture.add_vline(x=pin.time_ms, annotation_text=pin.name, **look)
    picture.update_layout(
        title=drawing.title,
        barmode="overlay",
        showlegend=False,
        height=420,
        margin={"t": 64, "r": 20, "b": 56},
    )
    picture.update_xaxes(title="milliseconds since the request", rangemode="tozero")
    return picture


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
