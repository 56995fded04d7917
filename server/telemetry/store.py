"""Keeps the newest traces, so that GET /v1/traces/{id} can return them.

The store is bounded: it never holds more than the number of traces it was made for.
"""

from __future__ import annotations

from collections import OrderedDict

from labkit.trace import Trace

__all__ = ["TraceStore"]


class TraceStore:
    """The newest traces by request id."""

    def __init__(self, max_traces: int) -> None:
        self._max_traces = max_traces
        self._traces: OrderedDict[str, Trace] = OrderedDict()

    def put(self, trace: Trace) -> None:
        """Keep `trace`; the oldest one is dropped where there are too many."""
        self._traces[trace.request] = trace
        while len(self._traces) > self._max_traces:
            self._traces.popitem(last=False)

    def get(self, request_id: str) -> Trace | None:
        """The trace of a request, finished or not; None where it is not kept."""
        return self._traces.get(request_id)
