"""JSON is written in ASCII and read without trust; streams make the same chunks.

Two dialects become the same records, wherever the bytes are cut.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.dialects.openai import OpenAIReader
from labkit.dialects.readers import Dialect, reader
from labkit.dialects.wire import (
    ChunkReader,
    count_of,
    data_of,
    from_json,
    mapping_of,
    text_of,
    to_json,
    to_json_by_item,
)
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
    chunks = ChunkReader(reader(dialect))
    return [chunk for piece in pieces for chunk in chunks.feed(piece)]


def test_what_is_written_is_ascii_and_never_nan() -> None:
    assert to_json({"a": "é"}) == '{"a":"\\u00e9"}'
    with pytest.raises(ValueError, match="JSON compliant"):
        to_json({"a": float("nan")})


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "NaN", '{"a":-Infinity}', "[" * 100_000, "1" * 5000]
)
def test_what_is_no_json_object_is_none(text: str) -> None:
    assert from_json(text) is None


def test_an_object_is_read() -> None:
    assert from_json(' {"a": [1]} ') == {"a": [1]}
    assert mapping_of({"a": 1}) == {"a": 1}
    assert mapping_of([1]) == {}


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), ("é🍓", "é🍓"), ("a\ud83c", "a\ufffd"), (5, None), (None, None)],
)
def test_text_can_always_be_written_as_utf_8(value: Any, text: str | None) -> None:
    assert text_of(value) == text
    assert text is None or text.encode()


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (0, 0),
        (7.0, 7),
        (2**53 - 1, 2**53 - 1),
        (2**53, None),
        (-1, None),
        (1.5, None),
        (float("inf"), None),
        (float("nan"), None),
        (True, None),
        ("1", None),
        (None, None),
    ],
)
def test_a_count_is_a_whole_number_from_0(value: Any, count: int | None) -> None:
    assert count_of(value) == count


def test_compact_json_reads_back() -> None:
    assert json.loads(to_json({"a": [1, None, "x"]})) == {"a": [1, None, "x"]}


def test_json_written_in_short_calls_is_the_same_text() -> None:
    data = {"a": 1, "é": [], "list": [{"x": "é"}, [1, None]], "object": {"y": [2]}}
    for depth in range(5):
        assert to_json_by_item(data, depth) == to_json(data)


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
    reader, parser = ChunkReader(OpenAIReader()), SSEParser()
    reader.feed(case.data)
    for index, frame in enumerate(reader.frames):
        found = data_of(frame if index else frame.removeprefix("\ufeff".encode()))
        assert [e.data for e in parser.feed(frame)] == (
            [] if found is None else [found]
        )


@given(st.binary(max_size=60).map(lambda data: b"data:" + data))
def test_data_of_any_bytes_is_what_the_full_parser_finds(data: bytes) -> None:
    reader, parser = ChunkReader(OpenAIReader()), SSEParser()
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
        reader = ChunkReader(OpenAIReader())
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
    chunks = ChunkReader(reader(Dialect(dialect)))
    assert [chunk.kind for chunk in chunks.feed(encode(json.dumps(data)))] == ["error"]
    assert chunks.error == message


def test_stamps_and_raw_frames_are_kept() -> None:
    reader = ChunkReader(OpenAIReader())
    first, second = FRAMES[Dialect.OPENAI][:2]
    assert reader.feed(first + second[:5], 0.5)[0].time_s == 0.5
    (chunk,) = reader.feed(second[5:], 0.75)
    assert (chunk.index, chunk.time_s) == (1, 0.75)
    assert (reader.frames, reader.rest, reader.flush()) == ([first, second], b"", [])
