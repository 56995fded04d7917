"""Recorded-looking requests for figures and widgets: every number is written down.

The times have no pretence to be measured; they are round so that sums can be checked.
"""

from __future__ import annotations

import json

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


MARKDOWN = """# Counting letters

The word **strawberry** has *three* letters `r`, see [the source](https://example.org)
and [a trap](javascript:alert(1)) ![pixel](https://example.org/leak?q=secret).

1. s t **r** a w
2. b e **r r** y

```python
print("strawberry".count("r"))  # 3
```

| letter | count |
|--------|-------|
| r      | 3     |
| s      | 1     |

> A quote with <img src=x onerror=alert(1)> raw HTML.

"""


def openai_frames() -> list[bytes]:
    """The same answer as an OpenAI stream, usage and end included."""
    head = '"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m"'
    role = '{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}'
    made = [f'data: {{{head},"choices":[{role}]}}\n\n']
    for piece in PIECES:
        delta = f'{{"index":0,"delta":{{"content":{_quoted(piece)}}}'
        made.append(f'data: {{{head},"choices":[{delta},"finish_reason":null}}]}}\n\n')
    end = '{"index":0,"delta":{},"finish_reason":"stop"}'
    usage = '"usage":{"prompt_tokens":34,"completion_tokens":10,"total_tokens":44}'
    made.append(f'data: {{{head},"choices":[{end}]}}\n\n')
    made.append(f'data: {{{head},"choices":[],{usage}}}\n\n')
    return [frame.encode() for frame in [*made, "data: [DONE]\n\n"]]


def anthropic_frames() -> list[bytes]:
    """The same answer as an Anthropic stream: typed events, cumulative usage."""
    start = '"message":{"content":[],"usage":{"input_tokens":34,"output_tokens":1}}'
    made = [
        _typed("message_start", start),
        _typed("content_block_start", '"index":0,"content_block":{"type":"text"}'),
        ": keep-alive\n\n",
    ]
    for piece in PIECES:
        delta = f'"index":0,"delta":{{"type":"text_delta","text":{_quoted(piece)}}}'
        made.append(_typed("content_block_delta", delta))
    made.append(_typed("content_block_stop", '"index":0'))
    stop = '"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":10}'
    made += [_typed("message_delta", stop), _typed("message_stop", "")]
    return [frame.encode() for frame in made]


def _typed(kind: str, fields: str) -> str:
    more = f",{fields}" if fields else ""
    return f'event: {kind}\ndata: {{"type":"{kind}"{more}}}\n\n'


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
