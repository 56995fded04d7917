"""Plotly figures of drawings, light enough for a page with many of them.

plotly's own widget sends its 5 MB bundle once a figure; this one asks for it once a
page. It has no button that uploads the figure, follows the colours of the page's theme
and has its title above and words below the picture. It uses private names of the pinned
version of plotly; a test fails where they change.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go
import traitlets

from labkit.figures import race, ttft
from labkit.figures.drawings import Drawing, Lines, Waterfall
from labkit.figures.palette import LIGHT, css_variables
from labkit.widgets.assets import serve
from labkit.widgets.base import SHARED, joined, listen_apart
from labkit.widgets.still import StillMixin

__all__ = ["LiteFigure"]

# Of plotly's nine buttons these stay: each is one more stop of the Tab key.
BUTTONS = [["zoom2d", "pan2d", "resetScale2d"], ["toImage"]]
MODE_BAR = 34  # pixels above the axes, for plotly's buttons
CONFIG = {
    "displaylogo": False,
    "showSendToCloud": False,
    "responsive": True,
    "modeBarButtons": BUTTONS,
}


def _recolour() -> str:
    """CSS that gives each layer's colour its value for the page's theme."""
    rules = []
    for layer, colour in LIGHT.items():
        red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        for what in ("fill", "stroke"):
            found = f'.lab-figure [style*="{what}: rgb({red}, {green}, {blue})"]'
            rules.append(f"{found}{{{what}:var(--lab-{layer})!important}}")
    return "\n".join(rules)


class LiteFigure(StillMixin, go.FigureWidget):
    """`LiteFigure(race_lines(race))`: the drawing as an interactive figure."""

    _esm = joined(*SHARED, "figure.js")
    _css = css_variables() + joined("lab.css", "figure.css") + _recolour()
    _lab_title = traitlets.Unicode().tag(sync=True)
    _lab_words = traitlets.Unicode().tag(sync=True)
    veil = traitlets.Unicode("").tag(sync=True)  # words shown in its place, "" for none

    def __init__(self, drawing: Lines | Waterfall) -> None:
        make = race.figure if isinstance(drawing, Lines) else ttft.figure
        picture = make(drawing)  # type: ignore[arg-type]  # checked above
        # The page writes the title above the plot, where it wraps and is not covered.
        super().__init__(picture.update_layout(title=None, margin_t=MODE_BAR))
        self._drawing = drawing
        self._lab_title, self._lab_words = drawing.title, drawing.alt
        self._config = {**self._config, **CONFIG}  # type: ignore[has-type]  # plotly's
        self.on_msg(self._receive)
        listen_apart(self.comm)

    def record(self) -> Drawing:
        """The drawing that the figure shows."""
        return self._drawing

    def _receive(self, _: object, message: object, __: object) -> None:
        if not isinstance(message, Mapping):
            return
        if message.get("op") == "asset":
            content, buffers = serve(message)
            self.send(content, buffers)
        elif message.get("op") == "sync":
            self._send_all(message)

    def _send_all(self, message: Mapping[str, Any]) -> None:
        """Send data and layout as they are now, then say that they were sent."""
        self._widget_data = copy.deepcopy(self._data)
        self._widget_layout = copy.deepcopy(self._layout)
        self.send({"op": "sync", "id": message.get("id")})
