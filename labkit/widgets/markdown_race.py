"""Compares three ways to render an answer that is still arriving, in the page.

Full re-parse, block memo and a streaming parser get the same chunks; the page measures
milliseconds and DOM nodes and reports them. Without a page the widget shows a recorded
race or counts, and says which. Images of the answer are never loaded.
"""

from __future__ import annotations

from typing import Any

import traitlets

from labkit.errors import ConfigError
from labkit.figures.drawings import Lines
from labkit.figures.race import Race, race_lines
from labkit.widgets.base import LabWidget
from labkit.widgets.markdown_count import count_race

__all__ = ["MarkdownRace"]


class MarkdownRace(LabWidget, page="markdown_race", parts=("race_lanes", "race_plot")):
    """`MarkdownRace(text, chunk_chars=24)`; start, pause and reset are buttons.

    `race` is what the page measured last, None before; then the still shows `recorded`
    or else the characters that `labkit.text.markdown` parses.
    """

    text = traitlets.Unicode().tag(sync=True)
    chunk_chars = traitlets.Int(24).tag(sync=True)
    recorded: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    result: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        text: str,
        chunk_chars: int = 24,
        recorded: Race | None = None,
        **unknown: object,
    ) -> None:
        if not text:
            raise ConfigError("MarkdownRace(text=''): give a text to render")
        self._count: Race | None = None  # made when first shown
        known = recorded.to_dict() if recorded is not None else {}
        super().__init__(unknown, text=text, chunk_chars=chunk_chars, recorded=known)

    @property
    def race(self) -> Race | None:
        """The last race that the page finished."""
        return Race.from_dict(self.result) if self.result else None

    def record(self) -> Lines:
        """The race that is shown: measured, else recorded, else counted."""
        if self.result or self.recorded:
            return race_lines(Race.from_dict(self.result or self.recorded))
        if self._count is None or self._count.chunk_chars != self.chunk_chars:
            self._count = count_race(self.text, self.chunk_chars)
        return race_lines(self._count)

    @traitlets.validate("chunk_chars")
    def _is_size(self, proposal: Any) -> int:
        size = int(proposal["value"])
        if not 1 <= size <= 2000:
            raise ConfigError(f"chunk_chars={size}: use 1 to 2,000 characters")
        return size

    @traitlets.validate("result")
    def _is_race(self, proposal: Any) -> dict[str, Any]:
        if proposal["value"]:
            Race.from_dict(proposal["value"])  # refuse what is no race
        return dict(proposal["value"])
