"""Bringing two clocks together: the server's handling is centred."""

from __future__ import annotations

import pytest

from labkit.clock import FakeClock
from labkit.errors import TraceError
from labkit.net.life import ClientStamps, client_trace, merged
from labkit.net.stream import SEND_BODY, SEND_HEAD, Wire
from labkit.records import Layer
from labkit.trace import Mark, Span, Trace


def client(*, sent_s: float = 1.0, first_byte_s: float = 2.0) -> Trace:
    trace = Trace("run")
    key = trace.key()
    trace.add(Span("request", Layer.NETWORK, sent_s, sent_s + 0.01, key))
    trace.add(Mark("first_byte", Layer.NETWORK, first_byte_s, key))
    return trace


def server(*, handled_s: float = 0.4) -> Trace:
    trace = Trace("run", {"device": "cpu"})
    key = trace.key()
    trace.add(Span("parse", Layer.GATEWAY, 0.0, 0.1, key))
    trace.add(Mark("first_chunk", Layer.STREAMING, handled_s, key))
    return trace


def test_the_time_on_the_way_is_shared_out_evenly() -> None:
    trace = merged(client(), server(handled_s=0.4))
    assert trace.named("parse").start_s == pytest.approx(1.3)
    assert trace.marks_named("first_chunk")[0].time_s == pytest.approx(1.7)
    assert trace.meta["server_offset_s"] == 1.3
    assert trace.meta["server_offset_error_s"] == 0.3
    assert trace.meta["device"] == "cpu"


def test_everything_is_in_order_of_time() -> None:
    trace = merged(client(), server())
    starts = [span.start_s for span in trace.spans]
    assert starts == sorted(starts)
    assert [m.name for m in trace.marks] == ["first_chunk", "first_byte"]


def test_a_trace_without_a_first_chunk_is_refused() -> None:
    with pytest.raises(TraceError, match="first_chunk"):
        merged(client(), Trace("run"))


def test_an_answer_without_a_byte_is_refused() -> None:
    sent = Trace("run")
    sent.add(Span("request", Layer.NETWORK, 0.0, 0.1, sent.key()))
    with pytest.raises(TraceError, match="no byte"):
        merged(sent, server())


def test_a_recorded_life_can_be_saved_and_only_waits_while_it_waits() -> None:
    clock = FakeClock()
    wire = Wire(clock)
    for event in (f"{SEND_HEAD}.started", f"{SEND_BODY}.complete"):
        clock.advance(0.1)
        wire.see(event, {})
    assert wire.connected is None
    stamps = ClientStamps(0.0, 0.1, None, wire.sent, 0.5, 0.9, 120, 300, [(0.5, 0.6)])
    trace = client_trace("run", stamps, [])
    assert Trace.from_dict(trace.to_dict()).spans == trace.spans
    waiting = {s.name for s in trace.spans if s.attrs.get("is_waiting")}
    assert waiting == {"wait", "read"}
