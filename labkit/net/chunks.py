"""Event streams of two dialects → the same `StreamChunk` records.

One push parser for both: only the reading of an event's JSON differs. It refuses
nothing: what it does not know becomes a chunk of kind "other", so that a reader can see
it. Invariant: the `raw` texts joined are the stream up to its last complete frame.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from labkit.net.frames import FrameSplitter
from labkit.records import StreamChunk, Usage
from labkit.sequence import FinishReason
from labkit.text.sse import SSEEvent, SSEParser

__all__ = ["ChunkReader", "Dialect"]


class Dialect(StrEnum):
    """Whose event stream it is."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What one event says."""

    kind: str
    text: str = ""
    finish: FinishReason | None = None
    usage: Usage | None = None


OTHER: Final = _Meaning("other")
COMMENT: Final = _Meaning("comment")
STOP_REASONS: Final[Mapping[str, FinishReason]] = MappingProxyType(
    {
        "end_turn": FinishReason.STOP,
        "stop_sequence": FinishReason.STOP,
        "max_tokens": FinishReason.LENGTH,
    }
)


class ChunkReader:
    """Bytes and the time of their arrival → chunks; `rest` is the unfinished frame."""

    def __init__(self, dialect: Dialect = Dialect.OPENAI) -> None:
        self._meaning = READERS[dialect]
        self._splitter = FrameSplitter()
        self._parser = SSEParser()
        self.frames: list[bytes] = []  # as received
        self._usage: Usage | None = None  # the last one told

    @property
    def rest(self) -> bytes:
        """Bytes of the frame that is not complete yet."""
        return self._splitter.rest

    def feed(self, piece: bytes, time_s: float = 0.0) -> list[StreamChunk]:
        """The chunks that `piece` completes, stamped `time_s`."""
        found = []
        for frame in self._splitter.feed(piece):
            events = self._parser.feed(frame)
            meaning = self._read(events[0]) if events else COMMENT
            found.append(_chunk(len(self.frames), time_s, frame, meaning))
            self.frames.append(frame)
        return found

    def flush(self) -> list[StreamChunk]:
        """End of the stream: a frame without its blank line is dropped, as SSE asks."""
        self._parser.flush()
        return []

    def _read(self, event: SSEEvent) -> _Meaning:
        if event.data == "[DONE]":
            return _Meaning("done")
        try:
            meaning = self._meaning(json.loads(event.data), self._usage)
            self._usage = meaning.usage or self._usage
            return meaning
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            return OTHER  # not JSON, or not of the shape this dialect has


def _chunk(index: int, time_s: float, frame: bytes, meaning: _Meaning) -> StreamChunk:
    return StreamChunk(
        index=index,
        time_s=time_s,
        kind=meaning.kind,
        raw=frame.decode("utf-8", "replace"),
        text=meaning.text,
        finish=meaning.finish,
        usage=meaning.usage,
    )


def _openai(data: Any, before: Usage | None) -> _Meaning:
    if "error" in data:
        return _Meaning("error")
    if not data["choices"]:
        usage = _openai_usage(data.get("usage"))
        return _Meaning("usage", usage=usage) if usage else OTHER
    choice = data["choices"][0]
    if choice.get("finish_reason"):
        finish = FinishReason(choice["finish_reason"])
        text = choice["delta"].get("content") or ""
        return _Meaning("finish", text, finish, _openai_usage(data.get("usage")))
    if choice["delta"].get("content"):
        return _Meaning("content", text=choice["delta"]["content"])
    return _Meaning("role") if choice["delta"].get("role") else _Meaning("content")


def _openai_usage(data: Any) -> Usage | None:
    if not data:
        return None
    cached = (data.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return Usage(data["prompt_tokens"], data["completion_tokens"], cached)


def _anthropic(data: Any, before: Usage | None) -> _Meaning:
    match data["type"]:
        case "message_start":
            usage = _anthropic_usage(data["message"]["usage"], None)
            return _Meaning("role", usage=usage)
        case "content_block_delta":
            return _Meaning("content", text=data["delta"].get("text", ""))
        case "message_delta":
            finish = STOP_REASONS.get(data["delta"].get("stop_reason"))
            usage = _anthropic_usage(data.get("usage"), before)
            return _Meaning("finish" if finish else "usage", "", finish, usage)
        case "message_stop":
            return _Meaning("done")
        case "error":
            return _Meaning("error")
    return OTHER  # content_block_start, content_block_stop, ping


def _anthropic_usage(data: Any, before: Usage | None) -> Usage | None:
    """Its three inputs add up to the prompt; later events may tell the output only."""
    if not data:
        return None
    output = data.get("output_tokens") or 0
    if "input_tokens" not in data and before is not None:
        return replace(before, completion_tokens=output)
    cached = data.get("cache_read_input_tokens") or 0
    written = data.get("cache_creation_input_tokens") or 0
    prompt = (data.get("input_tokens") or 0) + cached + written
    return Usage(prompt, output, cached)


READERS: Final[Mapping[Dialect, Callable[[Any, Usage | None], _Meaning]]] = (
    MappingProxyType({Dialect.OPENAI: _openai, Dialect.ANTHROPIC: _anthropic})
)
