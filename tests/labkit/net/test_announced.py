"""The discovery file is the user's own, and counts only while its process lives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.errors import ConfigError
from labkit.net.announced import (
    announce,
    announce_path,
    own_folder,
    read_announced,
    withdraw,
)
from server import proxy

URL = "http://127.0.0.1:8010"


def write(path: Path, pid: int) -> Path:
    data = {"url": "http://127.0.0.1:8010/", "pid": pid}
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def test_a_living_process_gives_its_address(tmp_path: Path) -> None:
    path = tmp_path / "server.json"
    announce(path, URL + "/")
    assert read_announced(path) == URL


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


def test_kernel_and_proxy_agree_on_the_place() -> None:
    assert str(announce_path(os.getpid())) in proxy.setup()["command"]
    assert announce_path(7) != announce_path(8)


def test_the_place_is_not_where_every_user_may_write(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert announce_path(7).is_relative_to(tmp_path)


def test_a_missing_folder_is_made_for_this_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "run"
    own_folder(folder)
    announce(folder / "server.json", URL)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "server.json").stat().st_mode & 0o777 == 0o600
    own_folder(folder)  # as it is made, it is let be


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o755, 0o1777])
def test_a_folder_that_others_may_enter_is_refused(mode: int, tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(ConfigError, match="mode 700"):
        own_folder(folder)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file/run cannot be made"):
        own_folder(tmp_path / "file" / "run")


def test_an_address_that_others_could_have_written_is_not_used(tmp_path: Path) -> None:
    path = write(tmp_path / "server.json", os.getpid())
    assert read_announced(path) is not None
    path.chmod(0o666)
    assert read_announced(path) is None


def test_a_link_to_another_file_is_not_followed(tmp_path: Path) -> None:
    target = write(tmp_path / "target.json", os.getpid())
    (tmp_path / "server.json").symlink_to(target)
    assert read_announced(tmp_path / "server.json") is None


def test_only_the_one_who_wrote_the_file_removes_it(tmp_path: Path) -> None:
    path = write(tmp_path / "server.json", os.getppid())
    withdraw(path)
    assert path.exists()  # another server has taken the place over
    announce(path, URL)
    withdraw(path)
    assert not path.exists()
    withdraw(path)  # a second time is no error
