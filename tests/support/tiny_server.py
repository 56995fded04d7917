"""`python -m tests.support.tiny_server`: the server command over the tiny model."""

from __future__ import annotations

import sys

import server.__main__ as command
from labkit.clock import SystemClock
from labkit.engine import Engine
from server.backend import EmbeddedEngine
from server.settings import Settings
from tests.support.tiny import tiny_model


def backend(settings: Settings) -> EmbeddedEngine:
    """What the command uses in place of the downloaded weights."""
    return EmbeddedEngine(
        lambda: Engine(tiny_model(), settings.engine(), SystemClock())
    )


if __name__ == "__main__":
    raise SystemExit(command.main(sys.argv[1:], backend))
