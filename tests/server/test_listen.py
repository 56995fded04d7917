"""Binding, addresses, and what a server does once its model is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from labkit.clock import SystemClock
from labkit.errors import ConfigError
from labkit.net.announced import is_alive
from server.backends import BackendState
from server.listen import bind, url_of
from server.settings import Settings
from tests.support.running import CHAT, RunningServer, wait_until
from tests.support.scripted_backend import ScriptedBackend


def test_port_0_takes_a_free_one() -> None:
    with bind("127.0.0.1", 0) as sock:
        assert url_of(sock) == f"http://127.0.0.1:{sock.getsockname()[1]}"


def test_an_address_for_all_is_reached_by_the_loopback_one() -> None:
    with bind("0.0.0.0", 0) as sock:
        assert url_of(sock).startswith("http://127.0.0.1:")


def test_a_host_that_is_not_here_is_named() -> None:
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1:0"):
        bind("192.0.2.1", 0)  # an address that is reserved for examples


def test_a_process_is_alive_until_it_has_ended() -> None:
    assert is_alive(os.getpid())
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(20)
    assert not is_alive(process.pid)


def test_what_waits_for_the_model_is_done_once_when_it_is_there() -> None:
    seen: list[BackendState] = []
    backend = ScriptedBackend(SystemClock())
    server = RunningServer(
        Settings(), backend, when_loaded=lambda: seen.append(backend.state)
    )
    with server:
        wait_until(lambda: bool(seen), "the server has looked at its model")
        server.chat()
    assert seen == [BackendState.READY]


def test_a_client_that_takes_nothing_does_not_keep_a_server_that_stops(
    caplog: pytest.LogCaptureFixture,
) -> None:
    backend = ScriptedBackend(SystemClock())
    settings = Settings(model_aliases=("m",), shutdown_s=0.5)
    body = json.dumps({**CHAT, "stream": True}).encode()
    with RunningServer(settings, backend) as server, server.connect() as link:
        link.sendall(server.head(body) + body)
        assert link.recv(12) == b"HTTP/1.1 200"
        (name,) = backend.live
        for _ in range(200):  # 200 times 64 KiB: more than any socket holds
            backend.step(name, "x" * 65536)
        server.stop()
        server.join(10)  # write_timeout_s would let it hang on for half a minute
    assert caplog.messages == []
