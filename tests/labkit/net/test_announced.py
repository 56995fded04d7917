"""The discovery file counts only while its process lives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.net.announced import announce_path, read_announced
from server import proxy


def write(path: Path, pid: int) -> Path:
    data = {"url": "http://127.0.0.1:8010/", "pid": pid}
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def test_a_living_process_gives_its_address(tmp_path: Path) -> None:
    path = write(tmp_path / "server.json", os.getpid())
    assert read_announced(path) == "http://127.0.0.1:8010"


def test_a_process_that_is_gone_gives_none(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert read_announced(write(tmp_path / "server.json", ended.pid)) is None


@pytest.mark.parametrize("text", ["", "[]", '{"url": "x"}', '{"url": 1, "pid": "a"}'])
def test_a_damaged_or_missing_file_gives_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "server.json"
    assert read_announced(path) is None
    path.write_text(text, encoding="utf-8")
    assert read_announced(path) is None


@pytest.mark.filterwarnings("ignore:XDG_RUNTIME_DIR")
def test_kernel_and_proxy_agree_on_the_place() -> None:
    assert str(announce_path(os.getpid())) in proxy.setup()["command"]
    assert announce_path(7) != announce_path(8)
