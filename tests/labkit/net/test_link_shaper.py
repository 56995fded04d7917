"""One direction of an unkind connection, on times that are given."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.errors import ConfigError
from labkit.net.link_shaper import LinkShaper
from labkit.records import Link

DATA = bytes(range(100))


def test_a_straight_link_changes_nothing_and_delays_by_its_length() -> None:
    shaper = LinkShaper(Link(), delay_s=0.25)
    assert shaper.feed(DATA, 1.0) == [(1.25, DATA)]
    assert shaper.flush(9.0) == []
    assert shaper.end_s(9.0) == 9.25


def test_bandwidth_takes_its_time_for_each_byte_and_frees_itself_again() -> None:
    shaper = LinkShaper(Link(bytes_per_s=100, chunk_bytes=50), delay_s=1.0)
    assert [at for at, _ in shaper.feed(DATA, 0.0)] == [1.5, 2.0]
    assert [at for at, _ in shaper.feed(DATA[:10], 10.0)] == [11.1]


def test_a_buffer_lets_only_full_blocks_out_and_the_rest_at_the_end() -> None:
    shaper = LinkShaper(Link(buffer_bytes=40))
    assert shaper.feed(DATA[:39], 0.0) == []
    assert shaper.feed(DATA[39:90], 1.0) == [(1.0, DATA[:80])]
    assert shaper.flush(2.0) == [(2.0, DATA[80:90])]


def test_a_coalescing_link_gives_what_comes_within_its_time_one_time() -> None:
    shaper = LinkShaper(Link(coalesce_s=0.5))
    times = [shaper.feed(b"x", at)[0][0] for at in (0.0, 0.2, 0.5, 0.6, 1.0)]
    assert times == [0.5, 0.5, 0.5, 1.1, 1.1]


def test_pieces_keep_their_gap() -> None:
    pieces = LinkShaper(Link(chunk_bytes=25, gap_s=0.1)).feed(DATA, 0.0)
    assert [round(at, 6) for at, _ in pieces] == [0.0, 0.1, 0.2, 0.3]


def test_a_stall_delays_all_that_comes_after_so_many_bytes() -> None:
    shaper = LinkShaper(Link(stall_at=30, stall_s=5.0))
    assert shaper.feed(DATA, 1.0) == [(1.0, DATA[:30]), (6.0, DATA[30:])]
    assert shaper.feed(b"x", 2.0) == [(6.0, b"x")]
    for_ever = LinkShaper(Link(stall_at=0, stall_s=math.inf))
    assert for_ever.feed(DATA, 1.0) == [(math.inf, DATA)]


def test_a_cut_lets_exactly_so_many_bytes_through() -> None:
    shaper = LinkShaper(Link(cut_at=30, chunk_bytes=20))
    assert [part for _, part in shaper.feed(DATA, 0.0)] == [DATA[:20], DATA[20:30]]
    assert shaper.is_cut
    assert shaper.feed(DATA, 0.0) == []
    assert not LinkShaper(Link(cut_at=101)).is_cut
    assert LinkShaper(Link(cut_at=0)).is_cut


@given(st.integers(1, 100))
def test_lost_and_doubled_bytes_are_the_same_under_every_chunking(size: int) -> None:
    link = Link(lose=(10, 20), duplicate=(15, 40))
    shaper = LinkShaper(link)
    found = b""
    for start in range(0, 100, size):
        pieces = shaper.feed(DATA[start : start + size], 0.0)
        found += b"".join(part for _, part in pieces)
    assert found == DATA[:10] + DATA[20:40] + DATA[15:40] + DATA[40:]


def test_ragged_pieces_and_jitter_depend_on_seed_and_connection_only() -> None:
    link = Link(chunk_bytes=9, is_ragged=True, jitter_s=0.2, seed=7)
    pieces = LinkShaper(link, number=3).feed(DATA, 0.0)
    assert pieces == LinkShaper(link, number=3).feed(DATA, 0.0)
    assert pieces != LinkShaper(link, number=4).feed(DATA, 0.0)
    assert b"".join(part for _, part in pieces) == DATA
    assert {len(part) for _, part in pieces} <= {*range(1, 10)}
    times = [at for at, _ in pieces]
    assert times == sorted(times)
    assert 0 < times[-1] <= 0.2


@given(
    st.lists(st.tuples(st.binary(max_size=30), st.floats(0, 5)), max_size=8),
    st.builds(
        Link,
        bytes_per_s=st.none() | st.floats(1, 1000),
        jitter_s=st.floats(0, 1),
        buffer_bytes=st.integers(0, 40),
        coalesce_s=st.floats(0, 1),
        chunk_bytes=st.integers(1, 40),
        is_ragged=st.booleans(),
        gap_s=st.floats(0, 1),
        stall_at=st.none() | st.integers(0, 100),
        stall_s=st.floats(0, 3),
    ),
)
def test_no_byte_is_lost_or_early_and_time_never_goes_back(
    fed: list[tuple[bytes, float]], link: Link
) -> None:
    shaper, now, pieces = LinkShaper(link, delay_s=0.5), 0.0, []
    for data, later_s in fed:
        now += later_s
        new = shaper.feed(data, now)
        assert all(at >= now + 0.5 for at, _ in new)
        pieces += new
    pieces += shaper.flush(now)
    times = [at for at, _ in pieces]
    assert times == sorted(times)
    assert all(part for _, part in pieces)
    assert b"".join(part for _, part in pieces) == b"".join(data for data, _ in fed)
    assert shaper.end_s(now) >= max(times, default=0.0)


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (Link(bytes_per_s=0), "bytes_per_s=0"),
        (Link(chunk_bytes=0), "chunk_bytes=0"),
        (Link(cut_at=-1), "cut_at=-1"),
        (Link(stall_s=math.nan), "stall_s=nan"),
        (Link(lose=(5, 5)), r"lose=\(5, 5\)"),
        (Link(duplicate=(-1, 5)), r"duplicate=\(-1, 5\)"),
        (Link(is_ragged=True), "chunk_bytes"),
    ],
)
def test_a_value_that_no_connection_has_is_refused(link: Link, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        LinkShaper(link)
