"""Bytes → frames → events of a recorded stream, under faults that you switch on.

The real parser and a naive one read the same pieces. It takes recordings and a relay
and sends nothing over a network; the same switches always give the same picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import traitlets

from labkit.config import from_mapping, reject_unknown
from labkit.errors import ConfigError
from labkit.figures.drawings import Table
from labkit.records import Faults
from labkit.widgets.base import LabWidget
from labkit.widgets.sse_inspection import Inspection, Relay, inspect, table, to_page
from labkit.widgets.sse_reading import Reading

__all__ = ["SSEInspector"]


class SSEInspector(LabWidget, page="sse_inspector", parts=("sse_columns",)):
    """`SSEInspector({"openai": frames, "anthropic": frames}, relay)`.

    `show("anthropic", Faults(chunk_bytes=7))` does what the controls do; `real` and
    `naive` are what the two readers have at the end.
    """

    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    sizes: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)  # bytes, frames
    dialect = traitlets.Unicode().tag(sync=True)
    faults: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    result: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        recordings: Mapping[str, Sequence[bytes]],
        relay: Relay,
        **unknown: object,
    ) -> None:
        if not recordings:
            raise ConfigError("SSEInspector(recordings={}): give at least one")
        self._recordings = {name: list(frames) for name, frames in recordings.items()}
        self._relay = relay
        self._found: Inspection | None = None
        sizes = {n: [sum(map(len, f)), len(f)] for n, f in self._recordings.items()}
        super().__init__(
            unknown,
            names=list(self._recordings),
            sizes=sizes,
            dialect=next(iter(self._recordings)),
            faults=asdict(Faults()),
        )
        self.observe(self._inspect, ["dialect", "faults"])
        self._inspect()

    @property
    def inspection(self) -> Inspection:
        """Everything about the stream that is shown now."""
        assert self._found is not None, "set by the constructor"
        return self._found

    @property
    def real(self) -> Reading:
        """What the real parser's client has."""
        return self.inspection.real

    @property
    def naive(self) -> Reading:
        """What the naive client has."""
        return self.inspection.naive

    def show(self, dialect: str | None = None, faults: Faults | None = None) -> Table:
        """Choose a recording and faults; the picture of what comes of them."""
        with self._lock:
            if dialect is not None:
                self.dialect = dialect
            if faults is not None:
                self.faults = asdict(faults)
        return self.record()

    def record(self) -> Table:
        """Frames with their pieces and events."""
        return table(self.inspection)

    @traitlets.validate("dialect")
    def _is_recording(self, proposal: Any) -> str:
        reject_unknown([proposal["value"]], self._recordings, "SSEInspector.dialect")
        return str(proposal["value"])

    @traitlets.validate("faults")
    def _is_faults(self, proposal: Any) -> dict[str, Any]:
        return asdict(from_mapping(Faults, proposal["value"]))

    def _inspect(self, _: object = None) -> None:
        faults = Faults(**self.faults)
        frames = self._recordings[self.dialect]
        self._found = inspect(self.dialect, frames, faults, self._relay)
        self.result = to_page(self._found)
