"""Stream chunks as the JSON that Python and a page exchange, both ways.

Times are milliseconds there, as on every axis. What a page reports is checked field by
field: a page is outside, even our own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labkit.records import StreamChunk, Usage
from labkit.sequence import FinishReason

__all__ = ["from_page", "to_page"]

KINDS = ("role", "content", "finish", "usage", "done", "comment", "error", "other")


def to_page(chunk: StreamChunk) -> dict[str, Any]:
    """What the page draws of a chunk."""
    return {
        "ms": round(chunk.time_s * 1000, 3),
        "kind": chunk.kind,
        "text": chunk.text,
        "finish": str(chunk.finish) if chunk.finish else None,
    }


def from_page(index: int, item: Mapping[str, Any]) -> StreamChunk:
    """A chunk that the page read itself."""
    kind = str(item.get("kind"))
    finish = item.get("finish")
    usage = item.get("usage")
    return StreamChunk(
        index=index,
        time_s=float(item["ms"]) / 1000,
        kind=kind if kind in KINDS else "other",
        raw=str(item.get("raw", "")),
        text=str(item.get("text", "")),
        finish=FinishReason(finish) if finish in list(FinishReason) else None,
        usage=_usage(usage) if isinstance(usage, dict) else None,
    )


def _usage(values: Mapping[str, Any]) -> Usage:
    details = values.get("prompt_tokens_details") or {}
    return Usage(
        prompt_tokens=int(values.get("prompt_tokens", 0)),
        completion_tokens=int(values.get("completion_tokens", 0)),
        cached_tokens=int(details.get("cached_tokens", 0)),
    )
