"""A request's trace from both ends: the client's spans and the server's on one clock.

The two clocks share no zero. As in NTP, the server's handling, from request received to
first frame handed over, is centred between the client's send and its first byte: that
supposes equal ways there and back. The offset and the most it can be wrong by are kept
in the trace's `meta`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from labkit.errors import TraceError
from labkit.records import Layer, StreamChunk
from labkit.trace import Mark, Scalar, Span, Trace

__all__ = ["ClientStamps", "client_trace", "merged"]

# Spans in which the client does nothing: others are at work meanwhile.
WAITING: Final[Mapping[str, Scalar]] = MappingProxyType({"is_waiting": True})


@dataclass(frozen=True, slots=True)
class ClientStamps:
    """What the client saw of one exchange; absolute times on the client's clock."""

    origin_s: float  # the request was asked for
    composed_s: float  # its bytes are ready
    connected: tuple[float, float] | None  # the TCP connection was made
    sent: tuple[float, float] | None  # head and body were handed to the network
    first_byte_s: float | None  # of the answer's body; None if none came
    end_s: float
    sent_bytes: int
    received_bytes: int
    unpacked: Sequence[tuple[float, float]]  # reading each piece


def client_trace(
    run: str, stamps: ClientStamps, chunks: Sequence[StreamChunk]
) -> Trace:
    """The client's half; its origin is the moment the request was asked for."""
    trace = Trace(run, {"frames": len(chunks)})
    key = trace.key()
    sent = {"bytes": stamps.sent_bytes}
    received = {"bytes": stamps.received_bytes, **WAITING}
    origin_s, first_s = stamps.origin_s, stamps.first_byte_s
    trace.add(Span("compose", Layer.CLIENT, origin_s, stamps.composed_s, key))
    if stamps.connected is not None:
        trace.add(Span("connect", Layer.NETWORK, *stamps.connected, key))
    if stamps.sent is not None:
        trace.add(Span("request", Layer.NETWORK, *stamps.sent, key, sent))
    if stamps.sent is not None and first_s is not None:
        trace.add(
            Span("wait", Layer.NETWORK, stamps.sent[1], first_s, key, {**WAITING})
        )
    if first_s is not None:
        trace.add(Span("read", Layer.NETWORK, first_s, stamps.end_s, key, received))
        trace.add(Mark("first_byte", Layer.NETWORK, first_s, key))
    spans = stamps.unpacked
    trace.add(*(Span("unpack", Layer.CLIENT, start, end, key) for start, end in spans))
    moved = trace.shifted(-origin_s)
    moved.add(*_arrivals(moved, chunks))
    return moved


def merged(client: Trace, server: Trace) -> Trace:
    """Both halves on the client's clock."""
    handled_s = _handling_s(server)
    sent_s = client.named("request").start_s
    slack_s = _first_byte_s(client) - sent_s - handled_s
    offset_s = sent_s + slack_s / 2
    moved = server.shifted(offset_s)
    meta = {**server.meta, **client.meta, "server_offset_s": round(offset_s, 6)}
    meta["server_offset_error_s"] = round(abs(slack_s) / 2, 6)
    spans = sorted([*client.spans, *moved.spans], key=lambda s: (s.start_s, -s.end_s))
    marks = sorted([*client.marks, *moved.marks], key=lambda m: m.time_s)
    return Trace(server.request, meta, spans, marks)


def _arrivals(trace: Trace, chunks: Sequence[StreamChunk]) -> list[Mark]:
    """A mark for each frame, and one for the first that showed text."""
    key, layer = trace.key(), Layer.CLIENT
    marks = [
        Mark("arrival", layer, c.time_s, key, {"kind": c.kind, "chars": len(c.text)})
        for c in chunks
    ]
    shown = [chunk.time_s for chunk in chunks if chunk.text]
    return [*marks, *(Mark("text_arrived", layer, at_s, key) for at_s in shown[:1])]


def _first_byte_s(client: Trace) -> float:
    marks = client.marks_named("first_byte")
    if not marks:
        raise TraceError("no byte of an answer came, so there is nothing to align")
    return marks[0].time_s


def _handling_s(server: Trace) -> float:
    """From request received (0 on the server's clock) to first frame handed over."""
    marks = server.marks_named("first_chunk")
    if not marks:
        raise TraceError(f"the server's trace {server.request} has no first_chunk mark")
    return marks[0].time_s
