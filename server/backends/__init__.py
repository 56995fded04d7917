"""The seam to whatever answers: the protocol, and an engine in a thread or process."""

from server.backends.engine_client import EngineClient, Supervision
from server.backends.engine_process import (
    EngineProcessClient,
    freeze_heap,
    load_engine,
)
from server.backends.in_process import InProcessClient
from server.backends.protocol import (
    Backend,
    BackendRequest,
    BackendState,
    BackendStatus,
    Served,
    not_ready,
)

__all__ = [
    "Backend",
    "BackendRequest",
    "BackendState",
    "BackendStatus",
    "EngineClient",
    "EngineProcessClient",
    "InProcessClient",
    "Served",
    "Supervision",
    "freeze_heap",
    "load_engine",
    "not_ready",
]
