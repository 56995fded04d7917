"""The command: announces itself, follows its parent, stops cleanly, explains itself."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.running import wait_until

ROOT = Path(__file__).parents[2]


@contextmanager
def command(*arguments: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """The server on the tiny model, on a free port; never outlives the block."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "tests.support.tiny_server", *arguments],
        cwd=ROOT,
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)


def announced(path: Path, process: subprocess.Popen[str]) -> dict[str, object]:
    def is_there() -> bool:
        assert process.poll() is None, process.communicate()
        return path.exists()

    wait_until(is_there, "the server announces itself", wait_s=60)
    found: dict[str, object] = json.loads(path.read_text())
    return found


def health(found: dict[str, object]) -> int:
    with urllib.request.urlopen(f"{found['url']}/health", timeout=20) as answer:
        status: int = answer.status
    return status


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_announces_itself_and_withdraws_when_stopped(
    stop: signal.Signals, tmp_path: Path
) -> None:
    path = tmp_path / "run" / "server.json"
    with command("--port", "0", "--announce", str(path)) as process:
        found = announced(path, process)
        assert found["pid"] == process.pid
        assert health(found) == 200
        process.send_signal(stop)
        out, err = process.communicate(timeout=20)
    assert not path.exists()
    assert out == f"labkit server on {found['url']} (Ctrl-C stops it)\n"
    assert err == ""
    assert process.returncode == (0 if stop is signal.SIGINT else -stop)


def test_it_stops_when_its_parent_is_gone(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    path = tmp_path / "server.json"
    asked = ["--port", "0", "--announce", str(path), "--parent", str(parent.pid)]
    with command(*asked) as process:
        announced(path, process)
        parent.kill()
        parent.communicate(timeout=10)
        assert process.wait(20) == 0
    assert not path.exists()


def test_a_taken_port_is_one_sentence_with_a_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with command("--port", str(port)) as process:
            out, err = process.communicate(timeout=60)
    assert (out, process.returncode) == ("", 1)
    assert err.startswith(f"port {port} on 127.0.0.1 is taken: stop the program")
    assert f"--port {port + 1}" in err
    assert err.count("\n") == 1


def test_a_value_that_cannot_work_is_one_sentence() -> None:
    with command(LAB_PORT="eighty") as process:
        out, err = process.communicate(timeout=60)
    assert (out, process.returncode) == ("", 1)
    assert err.startswith("LAB_PORT='eighty': it should be a valid integer")
    assert err.count("\n") == 1


def test_a_setting_of_somebody_else_is_one_warning(tmp_path: Path) -> None:
    path = tmp_path / "server.json"
    with command("--port", "0", "--announce", str(path), LAB_USER="ann") as process:
        assert health(announced(path, process)) == 200
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert err == "LAB_USER is not a setting of this server and is ignored\n"
