"""A request's trace as a bar of twelve layers, with one layer highlighted.

It opens and closes every chapter: one strip of real milliseconds and a cell a layer.
It takes a recorded trace and changes nothing in it; choosing a layer is its only state.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import traitlets

from labkit.figures.drawings import TraceDrawing
from labkit.figures.timeline import life
from labkit.records import Layer
from labkit.trace import Trace
from labkit.widgets.base import LabWidget

__all__ = ["TraceBar"]


class TraceBar(LabWidget, page="trace_bar"):
    """`TraceBar(lab.replay("first"), lit=Layer.STREAMING)`; arrow keys choose a layer.

    `selected` is the layer whose numbers are shown, as its name ("" for none).
    """

    drawing = traitlets.Dict().tag(sync=True)
    selected = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self, trace: Trace, lit: Layer | None = None, **unknown: object
    ) -> None:
        self._record = life(trace, lit)
        start = str(lit) if lit is not None else ""
        super().__init__(unknown, drawing=_plain(self._record), selected=start)

    def record(self) -> TraceDrawing:
        """The strip and the cells."""
        return self._record

    @traitlets.validate("selected")
    def _is_layer(self, proposal: Any) -> str:
        return str(Layer(proposal["value"])) if proposal["value"] else ""


def _plain(drawing: TraceDrawing) -> dict[str, Any]:
    """The drawing as JSON values, with the number of each cell's chapter."""
    values = asdict(drawing)
    for cell in values["cells"]:
        cell["chapter"] = Layer(cell["layer"]).chapter
    return values
