"""What jupyter-server-proxy is told, and that it really starts the server so."""

from __future__ import annotations

import os
import subprocess
import sys

from labkit.net.announced import announce_path
from server.proxy import setup


def test_the_command_runs_this_python_on_the_loopback_address() -> None:
    told = setup()
    assert told["command"][:3] == [sys.executable, "-m", "server"]
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
