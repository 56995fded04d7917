"""Recorded-looking requests for figures and widgets: every number is written down.

The times have no pretence to be measured; they are round so that sums can be checked.
"""

from __future__ import annotations

from labkit.records import Layer, StreamChunk, Usage
from labkit.sequence import FinishReason
from labkit.trace import Mark, Span, Trace

PIECES = ("The", " answer", " is", ' "', "1", '"', " (", "1", ").", " 🍓")
SERVER_PARTS = (
    ("connect", Layer.NETWORK, 0.0, 0.004),
    ("parse", Layer.GATEWAY, 0.004, 0.005),
    ("render", Layer.CONTEXT, 0.005, 0.006),
    ("tokenize", Layer.TOKENS, 0.006, 0.008),
    ("queue", Layer.COMPUTE, 0.008, 0.012),
    ("prefill", Layer.COMPUTE, 0.012, 0.112),
)


def trace(label: str = "cold", *, prefill_s: float = 0.1, held: int = 2) -> Trace:
    """A request of ten tokens whose first `held` tokens show no text."""
    made = Trace("chatcmpl-1", {"label": label})
    for name, layer, start, end in SERVER_PARTS[:-1]:
        attrs = {"bytes": 231} if name == "parse" else {}
        made.add(Span(name, layer, start, end, made.key(), attrs))
    now = 0.012 + prefill_s
    made.add(Span("prefill", Layer.COMPUTE, 0.012, now, made.key()))
    made.add(Mark("first_chunk", Layer.NETWORK, 0.009, made.key()))
    for step in range(len(PIECES)):
        now = _step(made, step, now, held)
    made.add(Mark("finish", Layer.STREAMING, now, made.key()))
    return made


def _step(made: Trace, step: int, now: float, held: int) -> float:
    """One engine step: decode, sample, detokenise; text is flushed at step `held`."""
    key = made.key(step, step)
    if step:
        made.add(Span("decode", Layer.COMPUTE, now, now + 0.030, key))
        now += 0.030
    made.add(Span("sample", Layer.SAMPLING, now, now + 0.002, key))
    made.add(Mark("token", Layer.SAMPLING, now + 0.002, key))
    if not step:
        made.add(Mark("first_token", Layer.SAMPLING, now + 0.002, key))
    now += 0.002
    made.add(Span("detokenize", Layer.STREAMING, now, now + 0.001, key))
    now += 0.001
    if step == held:
        made.add(Span("flush", Layer.STREAMING, now, now + 0.001, key, {"bytes": 212}))
        made.add(Mark("first_text", Layer.STREAMING, now + 0.001, key))
    return now


def chunks(gap_s: float = 0.03, first_s: float = 0.12) -> list[StreamChunk]:
    """A stream of ten pieces of text between a role chunk and the usage chunk."""
    made = [StreamChunk(0, 0.01, "role", 'data: {"role": "assistant"}\n\n')]
    for i, piece in enumerate(PIECES):
        time_s = round(first_s + gap_s * i, 6)
        made.append(StreamChunk(i + 1, time_s, "content", f"data: {piece}\n\n", piece))
    end = made[-1].time_s
    finish = FinishReason.STOP
    usage = Usage(34, 10)
    made.append(StreamChunk(11, end, "finish", "data: {}\n\n", finish=finish))
    made.append(StreamChunk(12, end, "usage", "data: {}\n\n", usage=usage))
    return made
