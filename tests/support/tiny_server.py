"""`python -m tests.support.tiny_server`: the server command over the tiny model."""

from __future__ import annotations

import sys
from functools import partial

import server.__main__ as command
from server.backends import EngineProcessClient
from server.settings import Settings
from tests.support.served import tiny_engine


def backend(settings: Settings) -> EngineProcessClient:
    """What the command uses in place of the downloaded weights."""
    return EngineProcessClient(partial(tiny_engine, settings))


if __name__ == "__main__":
    raise SystemExit(command.main(sys.argv[1:], backend))
