"""Binding and addresses, without a server."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from labkit.errors import ConfigError
from labkit.net.announced import is_alive
from server.listen import bind, url_of


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
