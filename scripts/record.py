"""`python -m scripts.record 10`: one real run → the recordings that a chapter replays.

Chapter 10 is recorded here, chapters 7 to 9 in a `record_NN.py` each. The trace and the
OpenAI frames are what the real server sent; the Anthropic frames say the same events at
the same moments, through the server's own encoder. Device, date, command and model are
written into each file.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labkit.book.lab import REQUEST
from labkit.clock import SystemClock
from labkit.dialects.anthropic import AnthropicFrames
from labkit.dialects.events import (
    Ended,
    FinishReason,
    Ping,
    Started,
    StreamEvent,
    TextPiece,
)
from labkit.dialects.readers import Dialect
from labkit.errors import LabError, ProtocolError
from labkit.labs.recordings import Arrival, Recording
from labkit.net.client import LabClient
from labkit.net.discover import find_server
from labkit.net.stream import ChatStream
from labkit.records import StreamChunk, Usage
from labkit.trace import Scalar
from scripts.book import RECORDED

__all__ = ["anthropic_arrivals", "main", "provenance", "record_10"]

Messages = Sequence[Mapping[str, str]]
DATA = Path(__file__).resolve().parents[1] / "chapters" / "data"
SERVER_CHAPTER = 10  # the others' record_NN.py has record(made, folder) -> exit code
KNOBS: dict[str, Any] = {"temperature": 0.0, "max_tokens": 96}
STORY = ({"role": "user", "content": "Écris deux phrases sur un café à Paris. 🍓"},)


def main(arguments: Sequence[str]) -> int:
    """Record for the chapter named; the exit code."""
    known = {f"{number:02}" for number in RECORDED}
    if len(arguments) != 1 or arguments[0].zfill(2) not in known:
        sys.stderr.write("Say which chapter: `python -m scripts.record 10`.\n")
        return 2
    chapter, clock = int(arguments[0]), SystemClock()
    made = provenance(clock.unix(), chapter)
    try:
        if chapter != SERVER_CHAPTER:
            module = importlib.import_module(f"scripts.record_{chapter:02}")
            return int(module.record(made, DATA))
        found = find_server(clock)
        with LabClient(found.url, clock) as client:
            return record_10(client, made, DATA)
    except LabError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def provenance(unix_s: float, chapter: int = 10) -> dict[str, Scalar]:
    """Where and when a recording was made, and how to make it again."""
    date = datetime.fromtimestamp(unix_s, UTC).date().isoformat()
    device = f"{os.cpu_count()} CPU cores, {platform.machine()}"
    command = f"python -m scripts.record {chapter}"
    return {"command": command, "date": date, "device": device}


def record_10(client: LabClient, made: dict[str, Scalar], folder: Path) -> int:
    """Chapter 10's files: the request's trace and streams, and a longer answer's."""
    run(client, REQUEST)  # the first run reads the weights from disk
    stream = run(client, REQUEST)
    trace = stream.trace()
    facts = {"model": client.model, **made}
    compute = trace.meta.pop("device", None)
    for name in ("origin_s", "received_unix"):
        trace.meta.pop(name, None)
    prompt = REQUEST[1]["content"]
    trace.meta.update({**facts, "prompt": prompt, "computed_on": compute})
    folder.mkdir(parents=True, exist_ok=True)
    trace.save(folder / "10_request.json")
    keep(stream, "10_streams", {**facts, "prompt": prompt}, folder)
    story = run(client, STORY)
    keep(story, "10_story", {**facts, "prompt": STORY[0]["content"]}, folder)
    for found in (stream, story):
        sys.stdout.write(f"{found.text!r}, recorded.\n")
    return 0


def keep(stream: ChatStream, name: str, meta: dict[str, Scalar], folder: Path) -> None:
    """Save what arrived, in both dialects."""
    frames = zip(stream.chunks, stream.frames, strict=True)
    streams = {
        Dialect.OPENAI: tuple(Arrival(chunk.time_s, frame) for chunk, frame in frames),
        Dialect.ANTHROPIC: tuple(anthropic_arrivals(stream.chunks, str(meta["model"]))),
    }
    Recording(name, meta, streams).save(folder / f"{name}.json")


def run(client: LabClient, messages: Messages) -> ChatStream:
    """A greedy answer, read to its end."""
    with client.stream(messages, **KNOBS) as stream:
        for _ in stream:
            pass
    if not stream.is_complete:
        raise ProtocolError(f"the stream broke off ({stream.error}); record it again")
    return stream


def anthropic_arrivals(chunks: Sequence[StreamChunk], model: str) -> Iterator[Arrival]:
    """The same run in the other dialect, each frame at its event's moment."""
    usage = next((chunk.usage for chunk in chunks if chunk.usage), None)
    if usage is None:
        raise ProtocolError("the stream told no usage; record it again")
    encoder = AnthropicFrames()
    for chunk in chunks:
        event = event_of(chunk, usage, model)
        for frame in encoder.feed(event) if event is not None else ():
            yield Arrival(chunk.time_s, frame)


def event_of(chunk: StreamChunk, usage: Usage, model: str) -> StreamEvent | None:
    """The server's neutral event that a chunk stands for."""
    match chunk.kind:
        case "role":
            return Started("msg_recorded", model, 0, usage.prompt_tokens)
        case "content":
            return TextPiece(chunk.text)
        case "comment":
            return Ping()
        case "finish" if chunk.finish is not None:
            return Ended(FinishReason(chunk.finish), usage)
    return None  # usage and [DONE] have no frame of their own there


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
