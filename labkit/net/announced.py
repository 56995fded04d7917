"""The files in which a server says where it listens, and by which key it is used.

They lie in a folder of the user's own that nobody else may enter, so no other user can
plant an address in it. A file of somebody else's, or one whose process is gone, counts
as no file. Only the process that wrote a file withdraws it.
"""

from __future__ import annotations

import json
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import platformdirs

from labkit.errors import ConfigError

__all__ = [
    "announce",
    "announce_path",
    "announced_key",
    "is_alive",
    "key_path",
    "own_folder",
    "read_announced",
    "withdraw",
]

OTHERS = stat.S_IRWXG | stat.S_IRWXO
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def announce_path(jupyter_pid: int) -> Path:
    """The file in which the server that this Jupyter manages announces itself.

    It is in the user's cache, not in the system's folder for temporary files, where
    another user can be there first.
    """
    return platformdirs.user_cache_path("labkit") / "run" / f"server-{jupyter_pid}.json"


def key_path(url: str) -> Path:
    """The file in which the server at `url` leaves its key for its user's programs."""
    place = urlsplit(url.rstrip("/")).netloc.lower().replace("localhost", "127.0.0.1")
    name = re.sub(r"[^a-z0-9.]", "_", place)
    return platformdirs.user_cache_path("labkit") / "run" / f"key-{name}.json"


def own_folder(folder: Path) -> None:
    """Make `folder` with mode 700, or see that it is so; else raise `ConfigError`."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = folder.stat()
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be made: {error.strerror}; announce the server in a "
            "folder of your own"
        ) from None
    if not _is_own(facts, OTHERS):
        raise ConfigError(
            f"{folder} is open to others, who could put another server's address into "
            "it: announce the server in a folder of your own with mode 700"
        )


def announce(path: Path, url: str, *, key: str = "") -> None:
    """Say in `path` that this process listens at `url`; `OSError` if it cannot."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    number = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(number, "w", encoding="utf-8") as file:
        json.dump(
            {"url": url, "pid": os.getpid(), **({"key": key} if key else {})}, file
        )
    draft.replace(path)


def withdraw(path: Path) -> None:
    """Remove the file if this process wrote it; another server's file stays."""
    data = _read(path)
    if data is not None and data["pid"] == os.getpid():
        path.unlink(missing_ok=True)


def read_announced(path: Path) -> str | None:
    """The announced address, if the process that announced it still lives."""
    data = _living(path)
    return None if data is None else str(data["url"]).rstrip("/")


def announced_key(url: str) -> str | None:
    """The key that the living server at `url` has left for this user, if it has."""
    data = _living(key_path(url))
    return None if data is None else str(data.get("key") or "") or None


def is_alive(pid: int) -> bool:
    """True while a process with this id exists."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _living(path: Path) -> dict[str, Any] | None:
    data = _read(path)
    return data if data is not None and is_alive(data["pid"]) else None


def _read(path: Path) -> dict[str, Any] | None:
    """What the file says; None where it is missing or not our own."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with open(number, encoding="utf-8") as file:
            if _is_own(os.fstat(file.fileno()), OTHERS_WRITE):
                data = json.load(file)
                return {**data, "url": str(data["url"]), "pid": int(data["pid"])}
    return None


def _is_own(facts: os.stat_result, others: int) -> bool:
    """Whether it is this user's, and no bit of `others` is granted."""
    if os.name != "posix":  # Windows keeps a user's folders by access lists
        return True
    return facts.st_uid == os.geteuid() and not facts.st_mode & others
