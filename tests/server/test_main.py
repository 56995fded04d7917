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
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.running import CHAT, read_all, wait_until

ROOT = Path(__file__).parents[2]


@contextmanager
def command(
    *arguments: str, folder: Path = ROOT, **environ: str
) -> Iterator[subprocess.Popen[str]]:
    """The server on the tiny model, on a free port; never outlives the block."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "tests.support.tiny_server", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
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


def test_it_starts_the_same_beside_a_readers_own_server_module(tmp_path: Path) -> None:
    """The engine's process too: both would run the file in the folder they are in."""
    for name in ("server.py", "labkit.py", "json.py"):
        (tmp_path / name).write_text("raise SystemExit('the reader's own')")
    path = tmp_path / "run" / "server.json"
    asked = ["--port", "0", "--announce", str(path)]
    with command(*asked, folder=tmp_path) as process:
        assert health(announced(path, process)) == 200


def test_a_folder_that_others_may_enter_is_no_place_to_announce(
    tmp_path: Path,
) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    path = tmp_path / "open" / "server.json"
    with command("--port", "0", "--announce", str(path)) as process:
        out, err = process.communicate(timeout=60)
    assert (out, process.returncode) == ("", 1)
    assert "mode 700" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("named", ["", "lab.lan"])
def test_listening_for_other_machines_asks_for_the_names_they_use(
    named: str, tmp_path: Path
) -> None:
    path = tmp_path / "server.json"
    asked = ["--host", "0.0.0.0", "--port", "0", "--announce", str(path)]
    with command(*asked, LAB_ALLOWED_HOSTS=named, LAB_AUTH="off") as process:
        assert health(announced(path, process)) == 200
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert ("LAB_ALLOWED_HOSTS=lab.lan" in err) is not bool(named)
    assert err.count("\n") == (0 if named else 1)


def test_told_to_stop_it_ends_open_streams_with_an_error_and_is_gone(
    tmp_path: Path,
) -> None:
    path = tmp_path / "server.json"
    asked = ["--port", "0", "--announce", str(path)]
    patient = {"LAB_SHUTDOWN_S": "2", "LAB_MODEL_ALIASES": "m", "LAB_AUTH": "off"}
    with ExitStack() as stack, command(*asked, **patient) as process:
        place = urlsplit(str(announced(path, process)["url"])).netloc
        streams = [stack.enter_context(open_stream(place)) for _ in range(3)]
        firsts = [stream.recv(40) for stream in streams]
        process.send_signal(signal.SIGTERM)
        rests = [read_all(stream) for stream in streams]
        _, err = process.communicate(timeout=10)
    assert all(first.startswith(b"HTTP/1.1 200") for first in firsts)
    assert all(b"data: [DONE]\n\n" in rest for rest in rests)
    assert any(b'"code":"model_unavailable"' in rest for rest in rests)
    assert process.returncode == -signal.SIGTERM
    assert "Traceback" not in err
    assert "Cancel" not in err


def open_stream(place: str) -> socket.socket:
    host, _, port = place.partition(":")
    asked = {**CHAT, "stream": True, "max_tokens": 900, "ignore_eos": True}
    body = json.dumps(asked).encode()
    lines = [
        "POST /v1/chat/completions HTTP/1.1",
        f"Host: {place}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "",
        "",
    ]
    link = socket.create_connection((host, int(port)), timeout=20)
    link.sendall("\r\n".join(lines).encode() + body)
    return link
