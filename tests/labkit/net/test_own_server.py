"""A server process of our own: waited for, named when it fails, ended for certain."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from labkit.clock import FakeClock, SystemClock
from labkit.errors import ServerUnavailable
from labkit.net.announced import is_alive
from labkit.net.own_server import OwnServer

ROOT = Path(__file__).parents[3]
ANNOUNCES = """
import json, os, sys, time
path = sys.argv[sys.argv.index("--announce") + 1]
with open(path, "w") as file:
    json.dump({"url": "http://127.0.0.1:9", "pid": os.getpid()}, file)
assert int(sys.argv[sys.argv.index("--parent") + 1]) == os.getppid()
time.sleep(60)
"""
FAILS = "import sys; sys.exit('port 9 is taken: use another')"
SLEEPS = "import time; time.sleep(60)"


def command(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_starts_gives_its_address_and_ends() -> None:
    server = OwnServer(SystemClock(), command(ANNOUNCES))
    assert server.start() == "http://127.0.0.1:9"
    pid = server.pid
    assert pid is not None
    assert is_alive(pid)
    assert pid != os.getpid()
    server.stop()
    server.stop()
    assert not is_alive(pid)


def test_a_server_that_ends_is_told_with_its_last_words() -> None:
    server = OwnServer(SystemClock(), command(FAILS))
    with pytest.raises(ServerUnavailable, match="code 1: port 9 is taken"):
        server.start()


def test_waiting_has_an_end_and_leaves_no_process() -> None:
    server = OwnServer(FakeClock(), command(SLEEPS))
    with pytest.raises(ServerUnavailable, match="within 90 s: it said nothing"):
        server.start()
    assert server.pid is None


def test_a_readers_own_server_module_is_not_taken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With cwd on the path, `-m server` would run the file that lies there."""
    (tmp_path / "server.py").write_text("raise SystemExit('the reader's own')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAB_MODEL", "nowhere.gguf")  # it announces itself in any case
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    server = OwnServer(SystemClock())
    url = server.start()
    try:
        assert url.startswith("http://127.0.0.1:")
    finally:
        server.stop()
