"""What a link does to one real connection through the loopback relay."""

from __future__ import annotations

import socket

import pytest

from labkit.clock import FakeClock, SystemClock
from labkit.net.loopback_relay import LoopbackRelay
from labkit.records import Link
from tests.support.odd_server import OddServer
from tests.support.relayed import BODY, Peer, asked, connected, down_times, opened
from tests.support.running import read_all, wait_until


def test_the_whole_of_a_large_answer_passes_a_slow_reader() -> None:
    large = BODY * 20_000  # more than may be on its way at a time
    with (
        Peer(large) as peer,
        LoopbackRelay(peer.url, SystemClock()) as relay,
        opened(relay) as link,
    ):
        wait_until(lambda: relay.num_held_bytes > 0, "the relay holds bytes")
        assert relay.num_held_bytes < len(large) / 2
        assert b"".join(iter(lambda: link.recv(65536), b"")) == large


@pytest.mark.parametrize("cut_at", [0, 1, 500, len(BODY) - 1])
def test_a_cut_ends_the_connection_after_exactly_so_many_bytes(cut_at: int) -> None:
    link = Link(cut_at=cut_at, chunk_bytes=100)
    with Peer() as peer, LoopbackRelay(peer.url, SystemClock(), down=link) as relay:
        assert asked(relay) == BODY[:cut_at]


def test_a_cut_with_a_reset_is_an_error_to_whoever_reads() -> None:
    link = Link(cut_at=500, is_reset=True)
    with (
        Peer() as peer,
        LoopbackRelay(peer.url, SystemClock(), down=link) as relay,
        pytest.raises(ConnectionResetError),
    ):
        asked(relay)


def test_a_cut_of_the_question_ends_both_sides() -> None:
    link = Link(cut_at=3)
    with Peer() as peer, LoopbackRelay(peer.url, SystemClock(), up=link) as relay:
        assert asked(relay, b"question") == b""
        wait_until(lambda: relay.num_open == 0, "the connection is gone")
    assert peer.got == [b"que"]


def test_lost_and_doubled_bytes_arrive_so() -> None:
    link = Link(lose=(10, 20), duplicate=(100, 130))
    with Peer() as peer, LoopbackRelay(peer.url, SystemClock(), down=link) as relay:
        assert asked(relay) == BODY[:10] + BODY[20:130] + BODY[100:]


def test_a_round_trip_is_paid_for_connecting_and_once_more_for_the_answer() -> None:
    clock, question = FakeClock(), b"GET / HTTP/1.1\r\n\r\n"
    with (
        OddServer(b"answer") as server,
        LoopbackRelay(server.url, clock, rtt_s=4.0) as relay,
        connected(relay) as link,
    ):
        link.sendall(question)
        wait_until(lambda: relay.num_open == 1, "the connection is there")
        clock.advance(4.0)  # the handshake
        wait_until(
            lambda: relay.num_held_bytes == len(question), "the question is on its way"
        )
        clock.advance(2.0)
        wait_until(lambda: len(server.requests) == 1, "the question has come")
        wait_until(lambda: relay.num_held_bytes == 6, "the answer is on its way")
        clock.advance(2.0)
        assert link.recv(6, socket.MSG_WAITALL) == b"answer"
    assert [(d.is_down, d.time_s) for d in relay.deliveries] == [(False, 6), (True, 8)]


def test_a_stalled_answer_comes_when_the_time_is_over() -> None:
    clock, stalled = FakeClock(), Link(stall_at=100, stall_s=30.0)
    with Peer() as peer, LoopbackRelay(peer.url, clock, down=stalled) as relay:
        with opened(relay) as link:
            wait_until(
                lambda: relay.num_held_bytes == len(BODY) - 100, "the rest is held"
            )
            clock.advance(30.0)
            assert read_all(link) == BODY
        assert down_times(relay) == [0.0, 30.0]


def test_pieces_leave_one_by_one_at_the_bandwidth() -> None:
    clock, slow = FakeClock(), Link(bytes_per_s=256, chunk_bytes=256)
    with (
        Peer() as peer,
        LoopbackRelay(peer.url, clock, down=slow) as relay,
        opened(relay) as link,
    ):
        for second in range(1, 5):
            left = len(BODY) - 256 * (second - 1)
            wait_until(
                lambda left=left: relay.num_held_bytes == left, "a piece has left"
            )
            clock.advance(1.0)
        assert read_all(link) == BODY
    assert down_times(relay) == [1.0, 2.0, 3.0, 4.0]


def test_what_comes_within_the_coalescing_time_is_one_write() -> None:
    clock, joined = FakeClock(), Link(coalesce_s=1.0, chunk_bytes=100)
    with (
        Peer() as peer,
        LoopbackRelay(peer.url, clock, down=joined) as relay,
        opened(relay) as link,
    ):
        wait_until(lambda: relay.num_held_bytes == len(BODY), "all is held")
        clock.advance(1.0)
        assert read_all(link) == BODY
    assert [d.num_bytes for d in relay.deliveries if d.is_down] == [len(BODY)]


def test_a_client_that_goes_away_is_gone_for_the_server_too() -> None:
    large = BODY * 20_000
    with Peer(large) as peer, LoopbackRelay(peer.url, SystemClock()) as relay:
        with opened(relay) as link:
            link.recv(10)
        wait_until(lambda: relay.num_open == 0, "the connection is gone")
        wait_until(lambda: peer.num_broken == 1, "the server's write has failed")
