"""Stream chunks as the JSON that Python and a page exchange, both ways.

A chunk whose frame has log-probabilities is sent with its tokens' probabilities. Times
are milliseconds there, as on every axis. What a page reports is checked field by field,
and what is of another type counts as absent: a page is outside, even our own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from labkit.dialects.wire import count_of, data_of, from_json, mapping_of, text_of
from labkit.records import StreamChunk, Usage

__all__ = ["from_page", "to_page"]

COUNTS = ("prompt_tokens", "completion_tokens", "cached_tokens")
KINDS = ("role", "content", "finish", "usage", "done", "comment", "error", "other")


def to_page(chunk: StreamChunk) -> dict[str, Any]:
    """What the page draws of a chunk."""
    return {
        "ms": round(chunk.time_s * 1000, 3),
        "kind": chunk.kind,
        "text": chunk.text,
        "finish": chunk.finish,
        "tokens": _tokens(chunk.raw),
    }


def _tokens(raw: str) -> list[dict[str, Any]]:
    """The tokens of an OpenAI frame with their probabilities, likeliest others last."""
    if '"top_logprobs"' not in raw:
        return []
    body = mapping_of(from_json(data_of(raw.encode()) or ""))
    choices = body.get("choices")
    first = mapping_of(choices[0]) if isinstance(choices, list) and choices else {}
    listed = mapping_of(first.get("logprobs")).get("content")
    entries = map(mapping_of, listed if isinstance(listed, list) else [])
    return [
        {**_scored(entry), "others": _others(entry.get("top_logprobs"), entry)}
        for entry in entries
    ]


def _others(listed: object, chosen: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The candidates that were not chosen."""
    entries = map(mapping_of, listed if isinstance(listed, list) else [])
    return [_scored(e) for e in entries if e.get("token") != chosen.get("token")]


def _scored(entry: Mapping[str, Any]) -> dict[str, Any]:
    value = entry.get("logprob")
    share = None
    if isinstance(value, int | float) and value <= 0:
        share = round(math.exp(value), 6)
    return {"text": text_of(entry.get("token")) or "", "p": share}


def from_page(index: int, item: object) -> StreamChunk:
    """A chunk that the page read itself."""
    found = mapping_of(item)
    kind, ms = found.get("kind"), found.get("ms", 0.0)
    is_time = isinstance(ms, int | float) and math.isfinite(ms)
    return StreamChunk(
        index=index,
        time_s=float(ms) / 1000 if is_time else 0.0,
        kind=kind if kind in KINDS else "other",
        raw=text_of(found.get("raw")) or "",
        text=text_of(found.get("text")) or "",
        finish=text_of(found.get("finish")),
        usage=_usage(mapping_of(found.get("usage"))),
    )


def _usage(found: Mapping[str, Any]) -> Usage | None:
    prompt, completion, cached = (count_of(found.get(name)) for name in COUNTS)
    if prompt is None or completion is None:
        return None
    return Usage(prompt, completion, cached or 0)
