"""What two readers make of the same bytes: the real SSE parser and a naive one.

The naive reader does what first attempts do: it takes every network piece for whole
frames and whole characters. Both hand their data to one state machine that knows the
OpenAI and the Anthropic dialect, so that they differ in nothing but the parsing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from labkit.records import Usage
from labkit.text.sse import SSEEvent, SSEParser

__all__ = ["Block", "Reading", "blocks", "naive_data", "read_events", "reading"]

BLANK_LINE = re.compile(rb"(?:\r\n|\n|\r)(?:\r\n|\n|\r)")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a client knows at the end of the bytes it got."""

    text: str = ""
    usage: Usage | None = None  # the last one known, also of an unfinished stream
    is_complete: bool = False  # the dialect's own end was seen
    num_read: int = 0  # pieces of data understood
    num_lost: int = 0  # pieces of data that were no JSON


@dataclass(frozen=True, slots=True)
class Block:
    """Bytes up to and including a blank line, and the event that they dispatch."""

    start: int
    end: int
    raw: str
    event: SSEEvent | None  # None for comments and unfinished blocks


def read_events(data: bytes) -> list[tuple[int, SSEEvent]]:
    """Events of the real parser, each with the offset after its last byte."""
    parser = SSEParser()
    found: list[tuple[int, SSEEvent]] = []
    for i in range(len(data)):
        found.extend((i + 1, event) for event in parser.feed(data[i : i + 1]))
    return found


def blocks(data: bytes) -> list[Block]:
    """`data` cut after its blank lines; the last block may be unfinished."""
    ends = [match.end() for match in BLANK_LINE.finditer(data)]
    edges = [0, *ends, *([len(data)] if not ends or ends[-1] < len(data) else [])]
    events = dict(read_events(data))
    return [
        Block(start, end, data[start:end].decode("utf-8", "replace"), events.get(end))
        for start, end in pairwise(edges)
        if end > start
    ]


def naive_data(pieces: Iterable[bytes]) -> list[str]:
    """Data lines as a client sees them that trusts the network's piece borders."""
    found: list[str] = []
    for piece in pieces:
        for part in piece.decode("utf-8", "replace").split("\n\n"):
            lines = [line for line in part.split("\n") if line]
            marked = [line[6:] for line in lines if line.startswith("data: ")]
            found.extend(marked or ([part] if lines and part[:1] != ":" else []))
    return found


def reading(data: Sequence[str]) -> Reading:
    """The state after all pieces of data, whichever dialect they speak."""
    state = Reading()
    for item in data:
        state = _next(state, item)
    return state


def _next(state: Reading, item: str) -> Reading:
    if item == "[DONE]":
        return replace(state, is_complete=True, num_read=state.num_read + 1)
    try:
        value = json.loads(item)
    except ValueError:
        return replace(state, num_lost=state.num_lost + 1)
    if not isinstance(value, dict):
        return replace(state, num_lost=state.num_lost + 1)
    state = replace(state, num_read=state.num_read + 1)
    if "choices" in value:
        return _openai(state, value)
    return _anthropic(state, value)


def _openai(state: Reading, value: dict[str, Any]) -> Reading:
    """A chat.completion.chunk: a delta, or the usage with no choices."""
    texts = [(c.get("delta") or {}).get("content") or "" for c in value["choices"]]
    counts = value.get("usage")
    usage = state.usage
    if counts:
        usage = Usage(counts["prompt_tokens"], counts["completion_tokens"])
    return replace(state, text=state.text + "".join(texts), usage=usage)


def _anthropic(state: Reading, value: dict[str, Any]) -> Reading:
    """A typed event; `message_delta` carries usage that counts from the start."""
    match value.get("type"):
        case "message_start":
            counts = value["message"]["usage"]
            usage = Usage(counts["input_tokens"], counts.get("output_tokens", 0))
            return replace(state, usage=usage)
        case "content_block_delta":
            return replace(state, text=state.text + value["delta"].get("text", ""))
        case "message_delta" if "usage" in value:
            before = state.usage or Usage(0, 0)
            counts = value["usage"]
            prompt = counts.get("input_tokens", before.prompt_tokens)
            return replace(state, usage=Usage(prompt, counts["output_tokens"]))
        case "message_stop":
            return replace(state, is_complete=True)
        case _:
            return state
