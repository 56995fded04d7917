"""The file in which a running server says where it listens.

It is read, never written, here. A file whose process is gone counts as no file.
"""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

import platformdirs

__all__ = ["announce_path", "is_alive", "read_announced"]


def announce_path(jupyter_pid: int) -> Path:
    """The file in which the server that this Jupyter manages announces itself."""
    with warnings.catch_warnings():  # it warns where it has to fall back to /tmp
        warnings.simplefilter("ignore")
        folder = platformdirs.user_runtime_path("labkit")
    return folder / f"server-{jupyter_pid}.json"


def read_announced(path: Path) -> str | None:
    """The announced address, if the process that announced it still lives."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        url, pid = str(data["url"]), int(data["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return url.rstrip("/") if is_alive(pid) else None


def is_alive(pid: int) -> bool:
    """True while a process with this id exists."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True
