"""Chunks: two dialects into the same records, wherever the bytes are cut."""

from __future__ import annotations

import json

import pytest

from labkit.net.chunks import ChunkReader, Dialect
from labkit.records import StreamChunk, Usage
from labkit.sequence import FinishReason
from labkit.text.sse import encode
from tests.support import requests
from tests.support.splits import every_split

FRAMES = {
    Dialect.OPENAI: requests.openai_frames(),
    Dialect.ANTHROPIC: requests.anthropic_frames(),
}


def read(dialect: Dialect, pieces: list[bytes]) -> list[StreamChunk]:
    reader = ChunkReader(dialect)
    return [chunk for piece in pieces for chunk in reader.feed(piece)]


@pytest.mark.parametrize("dialect", Dialect)
def test_every_split_gives_the_same_chunks(dialect: Dialect) -> None:
    frames = [frame for frame in FRAMES[dialect] if b" answer" not in frame]
    whole = read(dialect, [b"".join(frames)])
    for pieces in every_split(b"".join(frames)):
        assert read(dialect, pieces) == whole


@pytest.mark.parametrize("dialect", Dialect)
def test_both_dialects_give_the_answer_its_end_and_its_usage(dialect: Dialect) -> None:
    chunks = read(dialect, FRAMES[dialect])
    assert "".join(chunk.text for chunk in chunks) == "".join(requests.PIECES)
    assert [c.finish for c in chunks if c.finish] == [FinishReason.STOP]
    assert [c.usage for c in chunks if c.usage][-1] == Usage(34, 10)
    assert (chunks[0].kind, chunks[-1].kind) == ("role", "done")


def test_a_cut_stream_keeps_usage_in_one_dialect_only() -> None:
    cut = {name: read(name, frames[:8]) for name, frames in FRAMES.items()}
    assert [c.usage for c in cut[Dialect.OPENAI] if c.usage] == []
    assert [c.usage for c in cut[Dialect.ANTHROPIC] if c.usage] == [Usage(34, 1)]


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (b": ping\n\n", "comment"),
        (b"data: not json\n\n", "other"),
        (b"data: [1]\n\n", "other"),
        (b'data: {"choices":[]}\n\n', "other"),
        (b'data: {"error":{"message":"no"}}\n\n', "error"),
        (b'data: {"choices":[{"delta":{}}]}\n\n', "content"),
        (b'data: {"choices":[{"delta":{},"finish_reason":"new"}]}\n\n', "other"),
    ],
)
def test_what_an_openai_frame_is(frame: bytes, kind: str) -> None:
    (chunk,) = read(Dialect.OPENAI, [frame])
    assert (chunk.kind, chunk.raw.encode(), chunk.text) == (kind, frame, "")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"type":"ping"}', "other"),
        (b'{"type":"error","error":{}}', "error"),
        (b'{"type":"message_delta","delta":{},"usage":{"output_tokens":3}}', "usage"),
        (b'{"type":"message_delta","delta":{"stop_reason":"max_tokens"}}', "finish"),
    ],
)
def test_what_an_anthropic_event_is(data: bytes, kind: str) -> None:
    assert read(Dialect.ANTHROPIC, [b"data: " + data + b"\n\n"])[0].kind == kind


def test_anthropic_input_is_the_sum_of_its_three_parts() -> None:
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    usage = dict(zip(names, (4, 10, 20), strict=True))
    start = {"type": "message_start", "message": {"usage": usage}}
    frame = encode(json.dumps(start))
    assert read(Dialect.ANTHROPIC, [frame])[0].usage == Usage(34, 0, 20)


def test_stamps_and_raw_frames_are_kept() -> None:
    reader = ChunkReader()
    first, second = FRAMES[Dialect.OPENAI][:2]
    assert reader.feed(first + second[:5], 0.5)[0].time_s == 0.5
    (chunk,) = reader.feed(second[5:], 0.75)
    assert (chunk.index, chunk.time_s) == (1, 0.75)
    assert (reader.frames, reader.rest, reader.flush()) == ([first, second], b"", [])
