"""What jupyter-server-proxy is told, and that it really starts the server so."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from labkit.net.announced import announce_path
from server.http.edge import PROXY_HEADER
from server.proxy import setup
from server.settings import Settings


def test_the_command_runs_this_python_on_the_loopback_address() -> None:
    told = setup()
    assert told["command"][:4] == [sys.executable, "-P", "-m", "server"]
    assert "127.0.0.1" in told["command"]
    assert "{port}" in told["command"]
    assert (told["absolute_url"], told["timeout"]) == (False, 60)
    assert told["launcher_entry"] == {"enabled": False}


def test_kernels_find_the_server_by_their_jupyters_pid() -> None:
    told = setup()["command"]
    path = announce_path(os.getpid())
    assert told[told.index("--announce") + 1] == str(path)
    assert path.name == f"server-{os.getpid()}.json"
    assert told[told.index("--parent") + 1] == str(os.getpid())


def test_each_launch_has_a_secret_that_server_and_proxy_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = setup()
    header = told["request_headers_override"]["X-Labkit-Proxy"]
    assert told["request_headers_override"].keys() == {"X-Labkit-Proxy"}
    assert PROXY_HEADER == "x-labkit-proxy"
    (name,) = told["environment"]
    monkeypatch.setenv(name, told["environment"][name])
    assert Settings.from_env().proxy_secret.get_secret_value() == header
    assert header != setup()["request_headers_override"]["X-Labkit-Proxy"]
    assert header not in " ".join(told["command"])  # where every user could see it


def test_jupyter_can_read_it() -> None:
    from jupyter_server_proxy.config import ServerProcess

    process = ServerProcess(name="labkit", **setup())
    assert process.launcher_entry.enabled is False


def test_the_jupyter_server_imports_neither_torch_nor_fastapi() -> None:
    code = "import server.proxy, sys; print({'torch', 'fastapi'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
