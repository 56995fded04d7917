"""Finding a server: only one that can serve is used, and the reason is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labkit.clock import FakeClock, SystemClock
from labkit.errors import ServerUnavailable
from labkit.net.discover import find_server, is_proxied, require_ready, wake_managed
from server.backends import BackendState
from server.settings import Settings
from tests.support.odd_server import OddServer, head
from tests.support.running import RunningServer
from tests.support.scripted_backend import ScriptedBackend


def test_the_address_given_is_used() -> None:
    clock = SystemClock()
    with RunningServer(Settings(), ScriptedBackend(clock), clock) as running:
        found = find_server(clock, url=running.url + "/")
    assert (found.url, found.how) == (running.url, "given")


def test_a_server_without_a_model_says_why() -> None:
    backend = ScriptedBackend(SystemClock())
    backend.state = BackendState.FAILED
    with (
        RunningServer(Settings(), backend) as running,
        pytest.raises(ServerUnavailable, match="is failed, not ready: scripted"),
    ):
        require_ready(running.url)


def test_a_server_that_does_not_go_by_that_name_says_so() -> None:
    said = b'{"error":{"message":"not my name: see LAB_ALLOWED_HOSTS","code":"x"}}'
    answer = head("421 Misdirected", "application/json") + said
    with (
        OddServer(answer) as odd,
        pytest.raises(ServerUnavailable, match="refuses: not my name: see LAB_ALLOWED"),
    ):
        require_ready(odd.url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nonsense", "http://[bad"])
def test_no_server_is_one_sentence(url: str) -> None:
    with pytest.raises(ServerUnavailable, match="python -m server"):
        require_ready(url)


def test_another_program_is_no_server() -> None:
    answer = head("200 OK", "text/html") + b"<html>"
    with OddServer(answer) as odd, pytest.raises(ServerUnavailable, match="no labkit"):
        require_ready(odd.url)


@pytest.mark.parametrize(
    ("status", "is_there"),
    [
        ("200 OK", True),
        ("503 Loading", True),
        ("500 Killed", True),
        ("404 None", False),
        ("302 Login", False),
        ("403 No", False),
    ],
)
def test_what_a_proxy_answers_tells_whether_we_are_behind_it(
    status: str, is_there: bool
) -> None:
    with OddServer(head(status, "application/json")) as odd:
        assert is_proxied(f"{odd.url}/labkit/health", {}) is is_there


def test_a_process_that_is_no_jupyter_manages_nothing(tmp_path: Path) -> None:
    assert wake_managed(os.getpid(), tmp_path / "x.json", FakeClock()) is None
