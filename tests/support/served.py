"""The tiny model behind the server's settings; a process of its own can import it."""

from __future__ import annotations

from labkit.clock import SystemClock
from labkit.engine import Engine
from labkit.errors import WeightsError
from server.settings import Settings
from tests.support.tiny import tiny_model

__all__ = ["no_engine", "tiny_engine"]


def tiny_engine(settings: Settings) -> Engine:
    """What the server uses in place of the downloaded weights."""
    return Engine(tiny_model(), settings.engine(), SystemClock())


def no_engine() -> Engine:
    """What a server meets whose weights cannot be read."""
    raise WeightsError("weights are corrupt: fetch them again")
