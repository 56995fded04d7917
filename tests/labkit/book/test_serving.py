"""The server of a notebook: kept while it serves, found anew when it has ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from labkit.book.serving import Serving
from labkit.clock import Clock, SystemClock
from labkit.errors import ServerUnavailable
from labkit.net.discover import FoundServer
from server.backends import BackendState
from server.settings import Settings
from tests.support.running import RunningServer
from tests.support.scripted_backend import ScriptedBackend

HI = [{"role": "user", "content": "hi"}]


@contextmanager
def running() -> Iterator[str]:
    clock = SystemClock()
    with RunningServer(Settings(), ScriptedBackend(clock, ("a", "b")), clock) as one:
        yield one.url


class Places:
    """Finds the servers in `urls`, one after the other."""

    def __init__(self, *urls: str) -> None:
        self._urls = list(urls)

    def __call__(self, clock: Clock, *, url: str | None = None) -> FoundServer:
        return FoundServer(self._urls.pop(0), "our own")


def test_a_server_that_has_ended_is_replaced_and_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with running() as second:
        with running() as first:
            serving = Serving(SystemClock(), find=Places(first, second))
            client = serving.client()
            assert serving.client() is client  # kept while it serves
        assert serving.client().base_url == second
        assert "The server had ended; another one has" in capsys.readouterr().out


class Healing(SystemClock):
    """A clock whose first wait lasts until the engine of `backend` is there again."""

    def __init__(self, backend: ScriptedBackend) -> None:
        self.sleep = lambda wait_s: setattr(backend, "state", BackendState.READY)


def test_an_engine_that_is_being_replaced_is_waited_for_and_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    backend = ScriptedBackend(SystemClock(), ("a", "b"))
    with RunningServer(Settings(), backend, SystemClock()) as one:
        serving = Serving(Healing(backend), find=Places(one.url))
        client = serving.client()
        backend.state = BackendState.RESTARTING
        assert serving.client() is client
        assert "The engine had ended; the server has" in capsys.readouterr().out
        backend.state = BackendState.RESTARTING
        with serving.stream(HI) as stream:
            assert "".join(chunk.text for chunk in stream) == "ab"


def test_a_server_whose_engine_has_failed_for_good_is_replaced() -> None:
    backend = ScriptedBackend(SystemClock(), ("a", "b"))
    with running() as second, RunningServer(Settings(), backend, SystemClock()) as one:
        serving = Serving(SystemClock(), find=Places(one.url, second))
        serving.client()
        backend.state = BackendState.FAILED
        assert serving.client().base_url == second


def test_a_widget_gets_its_stream_in_silence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with running() as url:
        serving = Serving(SystemClock(), find=Places(url))
        with serving.stream(HI) as stream:
            assert "".join(chunk.text for chunk in stream) == "ab"
    assert capsys.readouterr().out == ""


def test_a_server_whose_address_was_given_is_not_replaced() -> None:
    with running() as url:
        serving = Serving(SystemClock(), url)
        assert serving.client().base_url == url
    with pytest.raises(ServerUnavailable, match="no labkit server answers"):
        serving.client()
