"""The parts of the time to first text in order, with the stamps of three events.

It takes recorded traces: their totals are compared on one axis, and the parts of the
chosen one are drawn on its own, so that a short one can be read beside a long one. It
refuses a trace without a first text, since there is no sum to show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import traitlets

from labkit.errors import ConfigError
from labkit.figures.drawings import Waterfall
from labkit.figures.ttft import waterfall
from labkit.trace import Trace
from labkit.widgets.base import LabWidget

__all__ = ["TTFTWaterfall"]


class TTFTWaterfall(LabWidget, page="ttft_waterfall", parts=("ttft_rows",)):
    """`TTFTWaterfall([cold, warm])`; the select chooses a trace, arrow keys a part.

    A trace's name is its `meta["label"]`, else its request id. `index` is the trace
    that is shown, `waterfalls` has all of them as records.
    """

    drawings: traitlets.List[Any] = traitlets.List().tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    index = traitlets.Int(0).tag(sync=True)

    def __init__(self, traces: Sequence[Trace], **unknown: object) -> None:
        if not traces:
            raise ConfigError("TTFTWaterfall(traces=[]): give at least one trace")
        self.waterfalls: tuple[Waterfall, ...] = tuple(map(waterfall, traces))
        super().__init__(
            unknown,
            drawings=[asdict(drawing) for drawing in self.waterfalls],
            names=[str(t.meta.get("label") or t.request) for t in traces],
        )

    def record(self) -> Waterfall:
        """The trace that is shown now."""
        return self.waterfalls[self.index]

    @traitlets.validate("index")
    def _is_trace(self, proposal: Any) -> int:
        index = int(proposal["value"])
        if not 0 <= index < len(self.waterfalls):
            raise traitlets.TraitError(
                f"index={index}: there are {len(self.waterfalls)} traces, from 0"
            )
        return index
