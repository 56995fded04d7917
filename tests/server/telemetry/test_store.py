"""The store of traces is bounded, and an unknown trace is an error of the client."""

from __future__ import annotations

from labkit.trace import Trace
from server.telemetry import TraceStore
from tests.server.conftest import Start


def test_a_store_keeps_the_newest_traces() -> None:
    store = TraceStore(2)
    for name in "abc":
        store.put(Trace(name))
    assert store.get("a") is None
    assert store.get("c") == Trace("c")


def test_an_unknown_trace_is_404(scripted: Start) -> None:
    server, _ = scripted("a")
    reply = server.get("/v1/traces/nobody")
    assert (reply.status, reply.json["error"]["code"]) == (404, "trace_not_found")
