"""The only door to the engine: the protocol, and an engine in a thread or process."""

from server.backend.embedded import EmbeddedEngine
from server.backend.heap import freeze_heap
from server.backend.process import EngineProcess
from server.backend.protocol import (
    Backend,
    BackendState,
    BackendStatus,
    Run,
    Served,
    not_ready,
)
from server.backend.worker import load_engine

__all__ = [
    "Backend",
    "BackendState",
    "BackendStatus",
    "EmbeddedEngine",
    "EngineProcess",
    "Run",
    "Served",
    "freeze_heap",
    "load_engine",
    "not_ready",
]
