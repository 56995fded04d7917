"""Running servers: one on the tiny model for all tests, scripted ones on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from labkit.clock import SystemClock
from server.settings import Settings
from tests.support.running import RunningServer
from tests.support.scripted_backend import ScriptedBackend

QUICK = Settings(
    model_aliases=("m", "a/b"),
    num_blocks=64,
    max_running=4,
    max_waiting=4,
    header_timeout_s=0.3,
    body_timeout_s=0.3,
    shutdown_s=2.0,
)
Start = Callable[..., tuple[RunningServer, ScriptedBackend]]


@pytest.fixture(scope="session")
def tiny_server() -> Iterator[RunningServer]:
    """The tiny model behind the real engine; every test leaves it idle."""
    import torch

    from labkit.engine import Engine
    from server.backends import InProcessClient
    from tests.support.tiny import tiny_model

    torch.set_num_threads(1)
    backend = InProcessClient(
        lambda: Engine(tiny_model(), QUICK.engine(), SystemClock())
    )
    with RunningServer(QUICK, backend) as server:
        yield server


@pytest.fixture
def scripted() -> Iterator[Start]:
    """Starts servers whose runs say what the test tells them to."""
    with ExitStack() as stack:

        def start(
            *script: str, **settings: object
        ) -> tuple[RunningServer, ScriptedBackend]:
            backend = ScriptedBackend(SystemClock(), script or None)
            changed = Settings(**{**QUICK.model_dump(), **settings})
            server = stack.enter_context(RunningServer(changed, backend))
            return server, backend

        yield start
