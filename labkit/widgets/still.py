"""Static pictures of widgets, so that each can be read where no kernel runs.

`StillMixin` adds to the live view an `<img>` with an SVG of the state shown now and the
same in words. It draws nothing itself: a subclass gives one `record()`, and still,
alternative text and summary all come from it.
"""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import Any, ClassVar

from labkit.figures.drawings import Drawing
from labkit.figures.stills import svg

__all__ = ["StillMixin", "image"]


def image(drawing: Drawing) -> str:
    """`drawing` as one HTML `<img>`: data URI, alternative text, no scripts."""
    data = b64encode(svg(drawing).encode()).decode("ascii")
    alt = escape(f"{drawing.title}. {drawing.alt}", quote=True)
    source = f"data:image/svg+xml;base64,{data}"
    return f'<img class="dark-light" alt="{alt}" src="{source}">'


class StillMixin:
    """First base of a widget: `class Bar(StillMixin, AnyWidget)`."""

    is_gated: ClassVar[bool] = True  # hidden while a prediction above it is open
    was_shown: bool = False  # and is not hidden any more
    _ipython_display_ = None  # plotly's own would hide the mime bundle below

    def record(self) -> Drawing:
        """What is shown now, as a drawing; every subclass has its own."""
        raise NotImplementedError

    def still(self) -> str:
        """The state shown now as SVG."""
        return svg(self.record())

    def summary(self) -> str:
        """The state shown now in words."""
        drawing = self.record()
        return f"{drawing.title}. {drawing.alt}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.record().title}>"

    def _live(self) -> dict[str, Any]:
        """Mime types of the live view, from the widget's other base class."""
        bundle = super()._repr_mimebundle_()  # type: ignore[misc]  # AnyWidget's
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        return dict(data or {})

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The live view, its still and its summary: the page takes the best it can."""
        still = {"text/html": image(self.record()), "text/plain": self.summary()}
        return {**self._live(), **still}, {}
