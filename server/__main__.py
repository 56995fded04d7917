"""`python -m server`: the companion server as a process.

Command-line options win over `LAB_…` variables. What cannot work is one sentence on
stderr and exit code 1; Ctrl-C ends quietly.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from labkit.clock import SystemClock
from labkit.errors import LabError
from labkit.net.announced import own_folder
from server.app import create_app
from server.auth import with_own_key
from server.backends import (
    Backend,
    EngineProcessClient,
    Supervision,
    freeze_heap,
    load_engine,
)
from server.http.edge import EVERY_ADDRESS
from server.listen import LabServer, bind, url_of
from server.settings import Settings, share_cores

__all__ = ["main"]

UNNAMED = (
    "requests from other machines are answered 421 until LAB_ALLOWED_HOSTS has the "
    "names by which they call this one, as in LAB_ALLOWED_HOSTS=lab.lan,192.168.1.5"
)


def engine_process(settings: Settings) -> Backend:
    """The engine on the model that the settings name."""
    supervision = Supervision(
        settings.step_timeout_s, settings.max_restarts, settings.restart_window_s
    )
    return EngineProcessClient(partial(load_engine, settings), supervision)


def main(
    arguments: Sequence[str] | None = None,
    backend_of: Callable[[Settings], Backend] = engine_process,
) -> int:
    """Serve until told to stop; the exit code."""
    share_cores()
    options = _parser().parse_args(arguments)
    try:
        settings = with_own_key(_settings(options))
        if options.announce is not None:
            own_folder(options.announce.absolute().parent)
        backend = backend_of(settings)
        app = create_app(settings, backend, SystemClock())
        sock = bind(settings.host, settings.port)
    except LabError as error:
        print(error, file=sys.stderr)  # noqa: T201  # this is the command's answer
        return 1
    server = LabServer(
        app,
        backend,
        settings,
        announce=options.announce,
        parent=options.parent,
        when_loaded=freeze_heap,
    )
    if is_unnamed(settings):
        print(UNNAMED, file=sys.stderr)  # noqa: T201  # said to the user
    print(f"labkit server on {url_of(sock)} (Ctrl-C stops it)", flush=True)  # noqa: T201  # said to the user
    with suppress(KeyboardInterrupt):
        server.run(sockets=[sock])
    return 0


def is_unnamed(settings: Settings) -> bool:
    """Whether other machines can connect, yet have no name to ask this one by."""
    return settings.host in EVERY_ADDRESS and not settings.allowed_hosts


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m server", description=__doc__)
    parser.add_argument("--host", help="address to listen on (LAB_HOST)")
    parser.add_argument("--port", type=int, help="port, 0 for a free one (LAB_PORT)")
    parser.add_argument("--announce", type=Path, help="write the URL to this file")
    parser.add_argument("--parent", type=int, help="stop when this process is gone")
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    given = {"host": options.host, "port": options.port}
    return Settings.from_env(**{k: v for k, v in given.items() if v is not None})


if __name__ == "__main__":
    raise SystemExit(main())
