"""Where the server is: the address given, the one JupyterLab manages, or our own.

A kernel is a child of its Jupyter server, so that server's process id names the file in
which the managed server announces its loopback address. Every wait has a limit. It
refuses to guess: an announced process that is gone or does not answer is not used.
"""

from __future__ import annotations

import atexit
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2

from labkit.clock import Clock
from labkit.dialects.openai import read_error
from labkit.errors import ServerUnavailable
from labkit.net.announced import announce_path, read_announced
from labkit.net.own_server import OwnServer

__all__ = ["FoundServer", "find_server", "require_ready"]

WAKE_LIMIT_S: Final = 90.0  # the first start reads the weights
WAKE_TICK_S: Final = 0.25
ASK_S: Final = 10.0
ASK_EVERY_S: Final = 5.0  # Jupyter logs each refusal


@dataclass(frozen=True, slots=True)
class FoundServer:
    """A server that answers."""

    url: str
    how: str  # "given", "managed by Jupyter" or "our own"


def find_server(clock: Clock, *, url: str | None = None) -> FoundServer:
    """The server to use; starts one where there is none."""
    if url is not None:
        require_ready(url)
        return FoundServer(url.rstrip("/"), "given")
    parent = os.getppid()
    path = announce_path(parent)
    managed = read_announced(path) or wake_managed(parent, path, clock)
    if managed is not None:
        require_ready(managed)
        return FoundServer(managed, "managed by Jupyter")
    own = OwnServer(clock)
    atexit.register(own.stop)
    address = own.start()
    require_ready(address)
    return FoundServer(address, "our own")


def require_ready(url: str) -> None:
    """Return if the server there can serve; else `ServerUnavailable` says why."""
    try:
        answer = httpx2.get(f"{url.rstrip('/')}/health", timeout=ASK_S, trust_env=False)
        said = dict(answer.json())
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, TypeError):
        raise ServerUnavailable(
            f"no labkit server answers at {url}: start one with `python -m server`, "
            "or leave the address out"
        ) from None
    refused = read_error(answer.status_code, answer.content)
    if refused is not None:
        raise ServerUnavailable(f"the server at {url} refuses: {refused.message}")
    if answer.status_code != 200:
        state, why = said.get("status"), said.get("detail") or "it does not say why"
        raise ServerUnavailable(f"the server at {url} is {state}, not ready: {why}")


def wake_managed(jupyter_pid: int, path: Path, clock: Clock) -> str | None:
    """Have our Jupyter server start its managed process; None where it has none."""
    jupyter = running_jupyter(jupyter_pid)
    if jupyter is None:
        return None
    health = f"{jupyter['url']}labkit/health"
    head = {"Authorization": f"token {jupyter.get('token', '')}"}
    limit_s, ask_s = clock.now() + WAKE_LIMIT_S, clock.now()
    while clock.now() < limit_s:
        if clock.now() >= ask_s:
            if not is_proxied(health, head):
                return None
            ask_s = clock.now() + ASK_EVERY_S
        found = read_announced(path)
        if found is not None:
            return found
        clock.sleep(WAKE_TICK_S)
    raise ServerUnavailable(
        f"the server behind {jupyter['url']}labkit/ did not load its model within "
        f"{WAKE_LIMIT_S:.0f} s: Jupyter's own log says why"
    )


def is_proxied(health: str, head: dict[str, str]) -> bool:
    """False where Jupyter has no labkit behind its proxy, or does not let us in.

    Asking starts the process; while it starts, and once after it was killed, the
    answer is an error of the 500s.
    """
    try:
        answer = httpx2.get(health, headers=head, timeout=WAKE_LIMIT_S, trust_env=False)
    except httpx2.HTTPError:
        return False
    return answer.status_code == 200 or answer.status_code >= 500


def running_jupyter(pid: int) -> dict[str, Any] | None:
    """Address and token of the Jupyter server with this process id."""
    try:
        from jupyter_server.serverapp import list_running_servers  # noqa: PLC0415  # slow
    except ImportError:
        return None  # Colab and plain Python have none
    for server in list_running_servers():
        if server.get("pid") == pid:
            return dict(server)
    return None
