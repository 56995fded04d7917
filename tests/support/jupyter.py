"""A JupyterLab of our own for browser tests: own home, own port, gone afterwards.

Nothing of the user's configuration is read or written. The server and its kernels live
in one process group, which `stop()` ends.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LABEXTENSIONS = ROOT / "labkit" / "widgets" / "labextensions"  # ours, not installed
START_LIMIT_S = 60.0
QUIET = {"fetchNews": "false", "checkForUpdates": False}  # no toast over the page


class JupyterLab:
    """A running server over `folder`; `url` ends with a slash."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.log = home / "jupyter.log"
        self.token = secrets.token_hex(8)
        self.url = f"http://127.0.0.1:{_free_port()}/"
        _write_settings(home / "settings")
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command(),
                cwd=folder,
                env=_environment(home),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait()

    def page_url(self, notebook: str = "") -> str:
        """Address of a workspace of its own, with `notebook` open if one is named."""
        place = f"lab/workspaces/{secrets.token_hex(4)}"
        place += f"/tree/{notebook}" if notebook else ""
        return f"{self.url}{place}?reset&token={self.token}"

    def stop(self) -> None:
        """End the server and its kernels."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, sign)
                self._process.wait(timeout=10)
            except ProcessLookupError:
                return
            except subprocess.TimeoutExpired:
                continue

    def _command(self) -> list[str]:
        port = self.url.rsplit(":", 1)[1].strip("/")
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": port,
            "ServerApp.port_retries": "0",
            "ServerApp.root_dir": str(self.folder),
            "ServerApp.allow_root": "True",
            "IdentityProvider.token": self.token,
            "LabApp.expose_app_in_browser": "True",
            "LabApp.extra_labextensions_path": str(LABEXTENSIONS),
        }
        flags = [f"--{name}={value}" for name, value in options.items()]
        return [sys.executable, "-m", "jupyterlab", "--no-browser", *flags]

    def _wait(self) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                status = f"{self.url}api/status?token={self.token}"
                urllib.request.urlopen(status, timeout=2).close()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        tail = self.log.read_text(errors="replace")[-2000:]
        self.stop()
        raise AssertionError(f"JupyterLab did not start; the end of its log:\n{tail}")


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    """A notebook of code cells without outputs."""
    code = [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": f"cell-{i}",
            "metadata": {},
            "outputs": [],
            "source": source,
        }
        for i, source in enumerate(cells)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {
        "cells": code,
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(notebook), encoding="utf-8")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _write_settings(folder: Path) -> None:
    path = folder / "@jupyterlab" / "apputils-extension"
    path.mkdir(parents=True)
    (path / "notification.jupyterlab-settings").write_text(json.dumps(QUIET))


def _cache_home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _environment(home: Path) -> dict[str, str]:
    """The environment with every place that Jupyter keeps things moved to `home`."""
    own = {
        "HOME": home,
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": home / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": home / "workspaces",
        "IPYTHONDIR": home / "ipython",
        "XDG_RUNTIME_DIR": home / "xdg",
        "XDG_CACHE_HOME": _cache_home(),  # the weights: fetched once, by whoever runs
    }
    kept = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTER")}
    paths = {name: str(path) for name, path in own.items()}
    return {**kept, **paths, "PYTHONPATH": str(ROOT)}
