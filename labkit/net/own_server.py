"""A server process of our own, for a kernel that no server was made for.

It ends with `stop()`, and with this process, whose id it is given to watch. Its waiting
has a limit, and what it said last is in the error.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from labkit.clock import Clock
from labkit.errors import ServerUnavailable
from labkit.net.announced import read_announced

__all__ = ["OwnServer"]

START_LIMIT_S: Final = 90.0  # the first start reads the weights
TICK_S: Final = 0.05


class OwnServer:
    """A server process of this kernel; it ends with `stop()` or with the kernel."""

    def __init__(self, clock: Clock, command: list[str] | None = None) -> None:
        self._clock = clock
        # -P: a reader's own server.py beside a notebook is not taken for the server
        own = [sys.executable, "-P", "-m", "server", "--port", "0"]
        self._command = command or own
        self._folder = Path(tempfile.mkdtemp(prefix="labkit-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Id of the process, None where there is none."""
        return None if self._process is None else self._process.pid

    def start(self) -> str:
        """Start it and wait until it announces its address."""
        path, log = self._folder / "server.json", self._folder / "server.log"
        flags = ["--announce", str(path), "--parent", str(os.getpid())]
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [*self._command, *flags],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
                start_new_session=True,  # interrupting a cell must not stop it
            )
        limit_s = self._clock.now() + START_LIMIT_S
        while self._clock.now() < limit_s:
            url = read_announced(path)
            if url is not None:
                return url
            code = self._process.poll()
            if code is not None:
                raise self._given_up(f"the server ended while starting, code {code}")
            self._clock.sleep(TICK_S)
        raise self._given_up(f"the server did not answer within {START_LIMIT_S:.0f} s")

    def _given_up(self, what: str) -> ServerUnavailable:
        said = _last_line(self._folder / "server.log")
        self.stop()
        return ServerUnavailable(f"{what}: {said}")

    def stop(self) -> None:
        """End the process; the second call does nothing."""
        process, self._process = self._process, None
        shutil.rmtree(self._folder, ignore_errors=True)
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    said = [line.strip() for line in lines if line.strip()]
    return said[-1] if said else "it said nothing"
