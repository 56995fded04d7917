"""The engine in a process of its own, so that nobody waits for the other's Python.

The event loop writes frames while the engine prepares its next step; in one interpreter
each token would cost the sum of both. vLLM divides its server in the same way (V1's
EngineCore). Commands and news each have a pipe: on a socket for both, whoever waits for
one is woken by the other. A process that dies is told to all runs; when this one dies,
the other notices and ends.
"""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Pipe
from typing import TYPE_CHECKING

from server.backend.front import Front
from server.backend.messages import Command, Over, Stop
from server.backend.protocol import BackendState

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

__all__ = ["EngineProcess"]


class EngineProcess(Front):
    """A `Backend` whose worker is a process; `load` is pickled and runs there."""

    def __init__(self, load: Callable[[], Engine]) -> None:
        super().__init__()
        self._load = load
        self._their_commands, self._commands = Pipe(duplex=False)
        self._news, self._their_news = Pipe(duplex=False)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Id of the process, None where there is none."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the process, which loads the model first; called on the event loop."""
        theirs = (self._their_commands, self._their_news)
        numbers = [end.fileno() for end in theirs]
        safe = ["-P"] if sys.flags.safe_path else []  # as this process was started
        self._process = subprocess.Popen(
            [sys.executable, *safe, "-m", "server.backend.child", *map(str, numbers)],
            stdin=subprocess.DEVNULL,
            pass_fds=numbers,
        )
        for end in theirs:
            end.close()
        self._command(self._load)
        asyncio.get_running_loop().add_reader(self._news.fileno(), self._read)

    def close(self, wait_s: float) -> None:
        """Abort all runs, end the process, by force after `wait_s`."""
        if self._process is None:
            return
        self._command(Stop())
        try:
            self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _command(self, command: Command | Callable[[], Engine]) -> None:
        with suppress(OSError):  # it is gone: `_read` notices
            self._commands.send(command)

    def _read(self) -> None:
        """There is news, or the end of all news."""
        try:
            news = pickle.loads(self._news.recv_bytes())
        except (EOFError, OSError):
            asyncio.get_running_loop().remove_reader(self._news.fileno())
            self.hear(Over(BackendState.FAILED, self._farewell()))
        else:
            self.hear(news)

    def _farewell(self) -> str:
        assert self._process is not None, "it was started before it was read"
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(1.0)
            return f"the engine's process has ended, code {code}; start the server anew"
        return "the engine's process does not answer; start the server anew"
