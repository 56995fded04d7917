"""The relay: what each fault does to the bytes, and that nothing else does."""

from __future__ import annotations

import pytest

from labkit.errors import ConfigError
from labkit.net.relay import cut_points, recut, relay
from labkit.records import Faults
from labkit.text.sse import SSEParser, encode

FRAMES = [encode(text) for text in ("one", "🍓 two", "three", "four")]


def pieces(**faults: object) -> list[bytes]:
    return [piece for _, piece in relay(FRAMES, Faults(**faults))]  # type: ignore[arg-type]


def test_no_fault_changes_nothing() -> None:
    assert relay(FRAMES, Faults()) == [(0.0, frame) for frame in FRAMES]


@pytest.mark.parametrize(
    "faults",
    [{"chunk_bytes": 1}, {"chunk_bytes": 7}, {"split_utf8": True}, {"coalesce": 3}],
)
def test_recutting_keeps_every_byte_and_every_event(faults: dict[str, object]) -> None:
    found = pieces(**faults)
    assert b"".join(found) == b"".join(FRAMES)
    parser = SSEParser()
    events = [event.data for piece in found for event in parser.feed(piece)]
    assert events == ["one", "🍓 two", "three", "four"]


def test_split_utf8_cuts_every_character_of_several_bytes() -> None:
    found = pieces(split_utf8=True)
    berry = "🍓".encode()
    assert len(found) == len(FRAMES) + 3
    assert found[1].endswith(berry[:1])
    assert found[2:4] == [berry[1:2], berry[2:3]]


def test_coalescing_joins_frames() -> None:
    assert pieces(coalesce=3) == [b"".join(FRAMES[:3]), FRAMES[3]]


def test_a_dropped_connection_ends_after_so_many_bytes() -> None:
    assert b"".join(pieces(drop_at=20)) == b"".join(FRAMES)[:20]
    assert pieces(drop_at=0) == []


def test_a_stall_comes_once_half_way() -> None:
    delays = [delay_s for delay_s, _ in relay(FRAMES, Faults(stall_s=2.5))]
    assert delays == [0.0, 0.0, 2.5, 0.0]


def test_a_duplicated_frame_comes_twice_in_a_row() -> None:
    assert pieces(duplicate_at=1) == [*FRAMES[:2], *FRAMES[1:]]


@pytest.mark.parametrize(
    "faults",
    [
        {"chunk_bytes": 0},
        {"coalesce": 0},
        {"drop_at": -1},
        {"stall_s": -1.0},
        {"duplicate_at": 4},
    ],
)
def test_impossible_faults_are_refused_with_the_value(
    faults: dict[str, object],
) -> None:
    name, value = next(iter(faults.items()))
    with pytest.raises(ConfigError, match=f"{name}={value}"):
        pieces(**faults)


def test_cuts_out_of_range_are_no_cuts() -> None:
    assert recut(b"abcdef", [0, 2, 2, 9, -1]) == [b"ab", b"cdef"]
    assert recut(b"", [1]) == []


def test_cut_points_depend_on_the_seed_only_and_lie_inside() -> None:
    points = cut_points(100, 20, seed=3)
    assert points == cut_points(100, 20, seed=3) != cut_points(100, 20, seed=4)
    assert all(0 < point < 100 for point in points)
    assert cut_points(1, 5, seed=0) == []
