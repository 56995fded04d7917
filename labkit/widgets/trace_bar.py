"""Requests' traces as bars of twelve layers, with one layer highlighted.

One strip of real milliseconds a request, all on one scale, and a cell a layer. It opens
and closes every chapter. It takes recorded traces and changes nothing in them; the
chosen layer is its only state. A cell links to the chapter of its layer where that
notebook lies in the folder that the kernel works in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import traitlets

from labkit.errors import ConfigError
from labkit.figures.drawings import TraceDrawing, TraceStack
from labkit.figures.timeline import as_stack, life, lives
from labkit.records import Layer
from labkit.trace import Trace
from labkit.widgets.base import LabWidget

__all__ = ["TraceBar"]

Traces = Trace | Sequence[Trace]


class TraceBar(LabWidget, page="trace_bar", parts=("trace_strip",)):
    """`TraceBar(lab.replay("first"), lit=Layer.STREAMING)`; arrow keys choose a layer.

    `TraceBar([first, again], names=["first time", "second time"])` draws both on one
    scale. `show(trace)` puts another trace in its place. `selected` is the layer whose
    numbers are shown, as its name ("" for none).
    """

    drawing = traitlets.Dict().tag(sync=True)
    selected = traitlets.Unicode("").tag(sync=True)
    links = traitlets.Dict().tag(sync=True)  # by layer, to the notebooks there are

    def __init__(
        self,
        trace: Traces,
        lit: Layer | None = None,
        *,
        names: Sequence[str] = (),
        **unknown: object,
    ) -> None:
        self._lit = lit
        self._record = _record(trace, names, lit)
        super().__init__(
            unknown,
            drawing=_plain(self._record),
            selected=str(lit) if lit is not None else "",
            links=chapter_links(Path.cwd()),
        )

    def show(self, trace: Traces, names: Sequence[str] = ()) -> None:
        """Draw `trace`, or several of them, instead; the chosen layer stays."""
        with self._lock:
            self._record = _record(trace, names, self._lit)
            self.drawing = _plain(self._record)

    def record(self) -> TraceDrawing | TraceStack:
        """The strips and the cells."""
        return self._record

    @traitlets.validate("selected")
    def _is_layer(self, proposal: Any) -> str:
        return str(Layer(proposal["value"])) if proposal["value"] else ""


def chapter_links(folder: Path) -> dict[str, str]:
    """The notebook of each layer's chapter in `folder`, where there is one."""
    found = {x: sorted(folder.glob(f"{x.chapter:02d}_*.ipynb")) for x in Layer}
    return {str(layer): paths[0].name for layer, paths in found.items() if paths}


def _record(
    trace: Traces, names: Sequence[str], lit: Layer | None
) -> TraceDrawing | TraceStack:
    traces = [trace] if isinstance(trace, Trace) else list(trace)
    if not traces:
        raise ConfigError("TraceBar: give at least one trace")
    if len(traces) == 1:
        return life(traces[0], lit)
    told = list(names) or [str(t.meta.get("label") or t.request) for t in traces]
    if len(told) != len(traces):
        raise ConfigError(
            f"TraceBar has {len(traces)} traces and {len(told)} names: "
            "give one name for each"
        )
    return lives(traces, told, lit)


def _plain(drawing: TraceDrawing | TraceStack) -> dict[str, Any]:
    """The drawing as JSON values: what all share, and a strip for each request."""
    stack = as_stack(drawing)
    each, names = stack.lives, stack.names
    return {
        "title": drawing.title,
        "total_ms": drawing.total_ms,
        "lit": each[0].lit,
        "layers": [
            {"layer": str(layer), "chapter": layer.chapter, "name": cell.name}
            for layer, cell in zip(Layer, each[0].cells, strict=True)
        ],
        "strips": [_strip(n, d) for n, d in zip(names, each, strict=True)],
    }


def _strip(name: str, life: TraceDrawing) -> dict[str, Any]:
    values = asdict(life)
    kept = ("total_ms", "segments", "pins", "cells")
    return {"name": name, **{key: values[key] for key in kept}}
