"""Overlapping spans as one line of time, on which each moment has one span.

Where spans nest or overlap, the moment belongs to the one that began last: the
innermost. A span that only waits for somebody else (`attrs["is_waiting"]`) has a moment
to itself only while nobody works. So the parts never count twice and, with the gaps,
add up to the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from labkit.figures.drawings import (
    LayerCell,
    Pin,
    Segment,
    TraceDrawing,
    TraceStack,
)
from labkit.figures.palette import NAMES, layer_title
from labkit.records import Layer
from labkit.trace import Span, Trace

__all__ = ["Stretch", "as_stack", "innermost", "life", "lives", "pins_of"]

PIN_NAMES = {
    "first_chunk": "first chunk",
    "first_token": "first token",
    "first_text": "first text",
    "finish": "finish",
}


@dataclass(frozen=True, slots=True)
class Stretch:
    """A moment of the request that belongs to one span."""

    span: Span
    start_s: float
    end_s: float


def innermost(spans: Sequence[Span], until_s: float) -> list[Stretch]:
    """The line of time from 0 to `until_s`, each stretch with its innermost span."""
    edges = {min(max(t, 0.0), until_s) for s in spans for t in (s.start_s, s.end_s)}
    times = sorted(edges)
    line: list[Stretch] = []
    for start, end in pairwise(times):
        active = [s for s in spans if s.start_s <= start and s.end_s >= end]
        if not active:
            continue
        owner = max(active, key=_depth)
        if line and line[-1].span is owner and line[-1].end_s == start:
            line[-1] = Stretch(owner, line[-1].start_s, end)
        else:
            line.append(Stretch(owner, start, end))
    return line


def _depth(span: Span) -> tuple[bool, float, float]:
    return (not span.attrs.get("is_waiting"), span.start_s, -span.end_s)


def pins_of(trace: Trace, names: Iterable[str]) -> tuple[Pin, ...]:
    """The first mark of each name, as a pin; names that are not there are left out."""
    found = ((name, trace.marks_named(name)) for name in names)
    return tuple(
        Pin(PIN_NAMES.get(name, name), _ms(marks[0].time_s))
        for name, marks in found
        if marks
    )


def life(trace: Trace, lit: Layer | None = None) -> TraceDrawing:
    """The whole request as a strip of time and one cell a layer."""
    line = innermost(trace.spans, trace.end_s)
    cells = tuple(_cell(layer, trace, line) for layer in Layer)
    return TraceDrawing(
        title=f"One request, twelve layers, {trace.end_s * 1000:,.1f} ms",
        alt=_alt(cells, lit),
        total_ms=_ms(trace.end_s),
        segments=_segments(line),
        pins=pins_of(trace, ("first_text", "finish")),
        cells=cells,
        lit=lit,
    )


def lives(
    traces: Sequence[Trace], names: Sequence[str], lit: Layer | None = None
) -> TraceStack:
    """Several requests, one below another on one scale; `names` tells them apart."""
    drawn = tuple(life(trace, lit) for trace in traces)
    pairs = list(zip(names, drawn, strict=True))
    return TraceStack(
        title=" and ".join(f"{name} takes {d.total_ms:,.1f} ms" for name, d in pairs),
        alt=" ".join(f"{name}: {d.alt}" for name, d in pairs),
        names=tuple(names),
        lives=drawn,
    )


def as_stack(drawing: TraceDrawing | TraceStack) -> TraceStack:
    """One life as a stack of one, without a name; a stack as it is."""
    if isinstance(drawing, TraceStack):
        return drawing
    return TraceStack(drawing.title, drawing.alt, ("",), (drawing,))


def _segments(line: Sequence[Stretch]) -> tuple[Segment, ...]:
    """Stretches as segments; neighbours of one layer and one name are joined."""
    joined: list[Segment] = []
    for stretch in line:
        layer, name = stretch.span.layer, stretch.span.name
        start, end = _ms(stretch.start_s), _ms(stretch.end_s)
        last = joined[-1] if joined else None
        if last and (last.layer, last.name, last.end_ms) == (layer, name, start):
            joined[-1] = Segment(layer, last.start_ms, end, name)
        else:
            joined.append(Segment(layer, start, end, name))
    return tuple(joined)


def _cell(layer: Layer, trace: Trace, line: Sequence[Stretch]) -> LayerCell:
    own_s = sum(s.end_s - s.start_s for s in line if s.span.layer is layer)
    spans = [s for s in trace.spans if s.layer is layer]
    counted = [s.attrs["bytes"] for s in spans if isinstance(s.attrs.get("bytes"), int)]
    total = trace.end_s or 1.0
    return LayerCell(
        layer=layer,
        name=NAMES[layer],
        ms=_ms(own_s),
        share=round(own_s / total, 4),
        spans=len(spans),
        num_bytes=sum(int(n) for n in counted if n is not None) if counted else None,
    )


def _alt(cells: Sequence[LayerCell], lit: Layer | None) -> str:
    used = sorted((c for c in cells if c.spans), key=lambda c: -c.ms)
    parts = "; ".join(f"{c.name} {c.ms:,.1f} ms" for c in used) or "nothing recorded"
    here = f" This chapter: layer {layer_title(lit)}." if lit is not None else ""
    return f"Time by layer, longest first: {parts}.{here}"


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
