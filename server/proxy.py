"""How jupyter-server-proxy starts the server, behind Jupyter's own port and login.

Imported by the Jupyter server, so it pulls in neither torch nor FastAPI. The process
listens on the loopback address, announces itself to this Jupyter's kernels and stops
with Jupyter. What comes through the proxy has the host name that the browser sees, on
Binder too; the server knows it by a secret of this launch that the proxy adds.
"""

from __future__ import annotations

import os
import secrets
import sys
from typing import Any

from labkit.net.announced import announce_path

__all__ = ["setup"]


def setup() -> dict[str, Any]:
    """The entry point `labkit` of jupyter-server-proxy."""
    pid = os.getpid()
    secret = secrets.token_hex(32)
    # -P: a reader's own server.py in the folder where Jupyter runs is not taken for us
    command = [sys.executable, "-P", "-m", "server", "--host", "127.0.0.1"]
    command += ["--port", "{port}", "--announce", str(announce_path(pid))]
    if os.name == "posix":  # elsewhere a process id cannot be looked at so simply
        command += ["--parent", str(pid)]
    return {
        "command": command,
        "environment": {"LAB_PROXY_SECRET": secret},
        "request_headers_override": {"X-Labkit-Proxy": secret},
        "timeout": 60,  # s until it listens; the model is loaded after that
        "absolute_url": False,
        "launcher_entry": {"enabled": False},
        "new_browser_tab": False,
    }
