"""How jupyter-server-proxy starts the server, behind Jupyter's own port and login.

Imported by the Jupyter server, so it pulls in neither torch nor FastAPI. The process
listens on the loopback address, announces itself to this Jupyter's kernels and stops
with Jupyter.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from labkit.net.announced import announce_path

__all__ = ["setup"]


def setup() -> dict[str, Any]:
    """The entry point `labkit` of jupyter-server-proxy."""
    pid = os.getpid()
    command = [sys.executable, "-m", "server", "--host", "127.0.0.1"]
    command += ["--port", "{port}", "--announce", str(announce_path(pid))]
    if os.name == "posix":  # elsewhere a process id cannot be looked at so simply
        command += ["--parent", str(pid)]
    return {
        "command": command,
        "environment": {},
        "timeout": 60,  # s until it listens; the model is loaded after that
        "absolute_url": False,
        "launcher_entry": {"enabled": False},
        "new_browser_tab": False,
    }
