"""Connections: kept while clients pool them, closed where a head does not come."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from labkit.clock import SystemClock
from server.app import create_app
from server.http.connection import beat_every
from server.listen import LabServer
from server.settings import Settings
from tests.server.conftest import Start
from tests.support.running import RunningServer, read_all
from tests.support.scripted_backend import ScriptedBackend


def ask(link: socket.socket, *lines: str) -> bytes:
    """One GET of /health on a connection that may be kept."""
    head = ["GET /health HTTP/1.1", "Host: localhost", *lines, "", ""]
    link.sendall("\r\n".join(head).encode())
    seen = b""
    while not seen.endswith(b"}}"):
        piece = link.recv(65536)
        assert piece, f"closed after {seen!r}"
        seen += piece
    return seen.lower()


def test_a_connection_is_kept_longer_than_clients_pool_it() -> None:
    settings = Settings(auth="off")
    assert settings.keep_alive_s > 90  # Go's clients; others pool for less
    app = create_app(settings, ScriptedBackend(SystemClock()), SystemClock())
    server = LabServer(app, ScriptedBackend(SystemClock()), settings)
    assert server.config.timeout_keep_alive == 120


def test_an_idle_connection_outlives_the_limit_of_a_head(scripted: Start) -> None:
    server, _ = scripted("a", header_timeout_s=0.1)
    with server.connect() as link:
        assert b"\r\nkeep-alive: timeout=120\r\n" in ask(link)
        link.settimeout(0.3)
        with pytest.raises(TimeoutError):
            link.recv(1)
        link.settimeout(20)
        assert b" 200 " in ask(link)


def test_an_answer_that_closes_promises_nothing(scripted: Start) -> None:
    server, _ = scripted("a", max_body_bytes=10)
    assert b"keep-alive" not in ask_and_close(server)
    assert server.chat().status == 413
    assert "keep-alive" not in server.chat().headers


def ask_and_close(server: RunningServer) -> bytes:
    with server.connect() as link:
        return ask(link, "Connection: close")


def test_half_of_a_next_head_is_late_too(scripted: Start) -> None:
    server, _ = scripted("a", header_timeout_s=0.2)
    with server.connect() as link:
        link.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hea")
        assert b"HTTP/1.1 408 " in read_all(link)


def test_the_connection_that_is_idle_longest_makes_room(scripted: Start) -> None:
    server, _ = scripted("a", limit_concurrency=1)  # two connections
    with ExitStack() as stack:
        links = [stack.enter_context(server.connect()) for _ in range(2)]
        for link in links:
            assert b" 200 " in ask(link)
        third = stack.enter_context(server.connect())
        assert b" 200 " in ask(third)
        assert links[0].recv(1) == b""
        assert b" 200 " in ask(links[1])


@pytest.mark.parametrize(
    ("stated", "beat_s"),
    [
        (None, 15.0),
        ("600", 15.0),
        ("600.0", 15.0),
        ("10", 5.0),
        ("0.001", 0.25),
        ("", 15.0),
        ("0", 15.0),
        ("-3", 15.0),
        ("nan", 15.0),
        ("inf", 15.0),
        ("soon", 15.0),
    ],
)
def test_signs_of_life_come_before_the_client_gives_up(
    stated: str | None, beat_s: float
) -> None:
    assert beat_every(stated, 15.0) == beat_s


def test_nobody_makes_the_server_beat_less_often_than_it_is_set_to() -> None:
    assert beat_every("0.001", 0.02) == 0.02
