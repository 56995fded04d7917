"""Chunks: two dialects into the same records, wherever the bytes are cut."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.dialects.chunks import ChunkReader, Dialect, data_of, dialect_of
from labkit.records import StreamChunk, Usage
from labkit.text.sse import SSEParser, encode
from tests.support import requests
from tests.support.splits import every_split
from tests.support.stream_vectors import CASES, Case, plain

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
    assert [c.finish for c in chunks if c.finish] == ["stop"]
    assert [c.usage for c in chunks if c.usage][-1] == Usage(34, 10)
    assert (chunks[0].kind, chunks[-1].kind) == ("role", "done")


def test_a_cut_stream_keeps_usage_in_one_dialect_only() -> None:
    cut = {name: read(name, frames[:8]) for name, frames in FRAMES.items()}
    assert [c.usage for c in cut[Dialect.OPENAI] if c.usage] == []
    assert [c.usage for c in cut[Dialect.ANTHROPIC] if c.usage] == [Usage(34, 1)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_split_of_a_vector_gives_its_chunks(case: Case) -> None:
    for pieces in every_split(case.data):
        assert plain(read(Dialect(case.dialect), pieces)) == case.chunks


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_frame_reader_finds_what_the_full_parser_finds(case: Case) -> None:
    reader, parser = ChunkReader(), SSEParser()
    reader.feed(case.data)
    for index, frame in enumerate(reader.frames):
        found = data_of(frame if index else frame.removeprefix("\ufeff".encode()))
        assert [e.data for e in parser.feed(frame)] == (
            [] if found is None else [found]
        )


@given(st.binary(max_size=60).map(lambda data: b"data:" + data))
def test_data_of_any_bytes_is_what_the_full_parser_finds(data: bytes) -> None:
    reader, parser = ChunkReader(), SSEParser()
    reader.feed(data)
    for frame in reader.frames:
        found = data_of(frame)
        assert [e.data for e in parser.feed(frame)] == (
            [] if found is None else [found]
        )


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_nothing_is_lost_and_every_cut_finds_as_many_frames(end: bytes) -> None:
    data = end.join([b"data: 1", b"", b"data: 2", b"data: 3", b"", b"rest"])
    for pieces in every_split(data):
        reader = ChunkReader()
        for piece in pieces:
            reader.feed(piece)
        assert b"".join([*reader.frames, reader.rest]) == data
        assert len(reader.frames) == 2


@pytest.mark.parametrize(
    ("dialect", "data", "message"),
    [
        ("openai", {"error": {"message": "broke"}}, "broke"),
        ("openai", {"error": "broke"}, "broke"),
        ("openai", {"error": [1]}, "the server reported an error"),
        ("anthropic", {"type": "error", "error": {"message": "busy"}}, "busy"),
        ("anthropic", {"type": "error"}, "the server reported an error"),
    ],
)
def test_a_failure_keeps_its_message(
    dialect: str, data: dict[str, Any], message: str
) -> None:
    reader = ChunkReader(Dialect(dialect))
    assert [chunk.kind for chunk in reader.feed(encode(json.dumps(data)))] == ["error"]
    assert reader.error == message


def test_the_dialect_shows_in_the_first_object() -> None:
    typed, delta = '{"type":"ping"}', '{"choices":[]}'
    assert dialect_of(["no", typed, delta]) is Dialect.ANTHROPIC
    assert dialect_of(["[1]", delta, typed]) is Dialect.OPENAI
    assert dialect_of(["[DONE]"]) is Dialect.OPENAI


def test_stamps_and_raw_frames_are_kept() -> None:
    reader = ChunkReader()
    first, second = FRAMES[Dialect.OPENAI][:2]
    assert reader.feed(first + second[:5], 0.5)[0].time_s == 0.5
    (chunk,) = reader.feed(second[5:], 0.75)
    assert (chunk.index, chunk.time_s) == (1, 0.75)
    assert (reader.frames, reader.rest, reader.flush()) == ([first, second], b"", [])
