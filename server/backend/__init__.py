"""The only door to the engine: the protocol, and the engine embedded in a thread."""

from server.backend.embedded import EmbeddedEngine, load_engine
from server.backend.protocol import (
    Backend,
    BackendState,
    BackendStatus,
    Run,
    Served,
    not_ready,
)

__all__ = [
    "Backend",
    "BackendState",
    "BackendStatus",
    "EmbeddedEngine",
    "Run",
    "Served",
    "load_engine",
    "not_ready",
]
