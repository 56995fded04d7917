"""Recorded-looking streams and the chunks that every reader has to make of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.records import StreamChunk, Usage

__all__ = ["CASES", "Case", "plain"]


@dataclass(frozen=True)
class Case:
    """One stream: its frames and its chunks as plain JSON values."""

    name: str
    dialect: str
    frames: list[str]
    chunks: list[dict[str, Any]]

    @property
    def data(self) -> bytes:
        """The whole stream."""
        return "".join(self.frames).encode()

    @property
    def text(self) -> str:
        """All visible text."""
        return "".join(chunk["text"] for chunk in self.chunks)

    @property
    def usage(self) -> Usage | None:
        """The last one told."""
        told = [chunk["usage"] for chunk in self.chunks if chunk["usage"]]
        return Usage(*told[-1]) if told else None


def plain(chunks: Iterable[StreamChunk]) -> list[dict[str, Any]]:
    """Chunks as the vectors write them."""
    return [
        {
            "kind": chunk.kind,
            "text": chunk.text,
            "finish": chunk.finish,
            "usage": counts(chunk.usage),
        }
        for chunk in chunks
    ]


def counts(usage: Usage | None) -> list[int] | None:
    """[prompt, completion, cached] tokens."""
    if usage is None:
        return None
    return [usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens]


FILE = Path(__file__).parent / "vectors" / "stream_vectors.json"
CASES = [Case(**case) for case in json.loads(FILE.read_text(encoding="utf-8"))["cases"]]
