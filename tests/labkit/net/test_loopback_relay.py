"""The loopback relay as a whole: its commands, its links, and what it leaves behind."""

from __future__ import annotations

import math
import socket
from collections.abc import Callable

import pytest

from labkit.clock import SystemClock
from labkit.errors import ConfigError
from labkit.net.client import LabClient
from labkit.net.loopback_relay import LoopbackRelay
from labkit.records import Link
from tests.support.odd_server import OddServer, head
from tests.support.relayed import BODY, Peer, asked, connected, nothing_left, opened
from tests.support.running import read_all, wait_until


def test_a_straight_relay_hands_every_byte_on_both_ways() -> None:
    with Peer() as peer, LoopbackRelay(peer.url, SystemClock()) as relay:
        assert asked(relay, b"question" * 50_000) == BODY
        assert asked(relay, b"") == BODY
    assert peer.got == [b"question" * 50_000, b""]
    assert relay.num_connections == 2
    assert sum(d.num_bytes for d in relay.deliveries if d.is_down) == 2 * len(BODY)


def test_a_client_that_retries_gets_another_link_each_time() -> None:
    links = [Link(cut_at=0), Link(cut_at=10), Link()]
    with Peer() as peer, LoopbackRelay(peer.url, SystemClock(), down=links) as relay:
        assert [len(asked(relay)) for _ in range(4)] == [0, 10, len(BODY), len(BODY)]
        relay.change(down=Link(cut_at=7))
        assert asked(relay) == BODY[:7]


def test_holding_and_releasing_works_on_open_connections() -> None:
    with (
        Peer() as peer,
        LoopbackRelay(peer.url, SystemClock()) as relay,
        connected(relay) as link,
    ):
        link.sendall(b"a")
        wait_until(lambda: len(relay.deliveries) == 1, "a byte has passed")
        relay.hold()
        link.sendall(b"b")
        wait_until(lambda: relay.num_held_bytes == 1, "the next is held")
        link.shutdown(socket.SHUT_WR)
        assert peer.got == []
        relay.release()
        assert read_all(link) == BODY
    assert peer.got == [b"ab"]


def test_cutting_on_command_resets_both_sides() -> None:
    endless = Link(stall_at=10, stall_s=math.inf)
    with Peer() as peer, LoopbackRelay(peer.url, SystemClock(), down=endless) as relay:
        with opened(relay) as link:
            assert link.recv(10, socket.MSG_WAITALL) == BODY[:10]
            relay.cut()
            with pytest.raises(ConnectionResetError):
                link.recv(1)
        wait_until(lambda: relay.num_open == 0, "the connection is gone")


def test_a_server_that_is_not_there_ends_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        gone = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with (
        LoopbackRelay(gone, SystemClock()) as relay,
        connected(relay) as link,
        pytest.raises(ConnectionResetError),
    ):
        link.recv(1)


@pytest.mark.parametrize(
    "leave",
    [
        lambda relay: relay.hold(),
        lambda relay: relay.change(down=Link(stall_at=5, stall_s=math.inf)),
        lambda relay: relay.change(rtt_s=1000.0),
        lambda relay: relay.change(down=Link(cut_at=5, is_reset=True)),
    ],
    ids=["held", "stalled", "connecting", "cut"],
)
def test_closing_leaves_no_socket_and_no_thread_whatever_goes_on(
    leave: Callable[[LoopbackRelay], None],
) -> None:
    with (
        nothing_left(),
        Peer() as peer,
    ):
        with LoopbackRelay(peer.url, SystemClock()) as relay:
            leave(relay)
            links = [opened(relay) for _ in range(8)]
            wait_until(lambda: relay.num_connections == 8, "all have come")
        relay.close()  # the second time
        for link in links:
            link.close()
    with pytest.raises(ConnectionRefusedError):
        opened(relay)


def test_closing_while_connections_end_by_themselves_leaves_none_of_them() -> None:
    with nothing_left(), Peer() as peer:
        for _ in range(30):
            link = Link(cut_at=5)
            with LoopbackRelay(peer.url, SystemClock(), down=link) as relay:
                links = [opened(relay) for _ in range(4)]
                assert links[0].recv(5, socket.MSG_WAITALL) == BODY[:5]
            for one in links:
                one.close()


def test_a_relay_that_was_never_used_closes() -> None:
    with nothing_left():
        with LoopbackRelay("http://127.0.0.1:9", SystemClock()):
            pass
        LoopbackRelay("http://127.0.0.1:9", SystemClock()).close()


@pytest.mark.parametrize("target", ["127.0.0.1:80", "http://127.0.0.1", "nonsense"])
def test_an_address_without_host_or_port_is_refused(target: str) -> None:
    with pytest.raises(ConfigError, match="whole address"):
        LoopbackRelay(target, SystemClock())


def test_impossible_settings_are_refused_before_a_byte_passes() -> None:
    for given in ({"rtt_s": -1.0}, {"down": Link(cut_at=-1)}, {"up": []}):
        with pytest.raises(ConfigError):
            LoopbackRelay("http://127.0.0.1:9", SystemClock(), **given)  # type: ignore[arg-type]


FRAME = (
    'data: {"id":"r","object":"chat.completion.chunk","created":1,"model":"m",'
    '"choices":[{"index":0,"delta":{"content":"日🍓"},"finish_reason":null}]}\n\n'
)


def test_the_books_own_client_reads_the_same_text_at_every_size_of_piece() -> None:
    answer = head(x_request_id="r") + 3 * FRAME.encode() + b"data: [DONE]\n\n"
    for size in (1, 2, 3, 7, 100):
        link = Link(chunk_bytes=size, is_ragged=size > 3)
        with (
            OddServer(answer) as server,
            LoopbackRelay(server.url, SystemClock(), down=link) as relay,
            LabClient(relay.url, SystemClock(), model="m") as client,
        ):
            stream = client.stream([{"role": "user", "content": "hi"}])
            assert "".join(chunk.text for chunk in stream) == "日🍓" * 3
