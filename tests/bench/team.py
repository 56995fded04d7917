"""The processes of the contenders: started when first asked, gone with the context.

A worker that fails tells why in one line; its process and all others end with `close`,
also after Ctrl-C.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

__all__ = ["THREADS", "NotMeasured", "Team", "Worker", "worker_env"]

ROOT = Path(__file__).resolve().parents[2]
THREADS = 2  # of everyone
OURS_TO_SET = ("PYTHONPATH", "OMP_NUM_THREADS")


class NotMeasured(Exception):
    """A row cannot be measured here; the sentence says why."""


def worker_env(base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The same for everyone: two threads, and one way of waiting for each other.

    By default an OpenMP thread spins for a moment and then sleeps: no step pays for
    waking it, and nobody who waits for his turn takes another's core. A policy that the
    caller has set is kept, for all of them; the record says which.
    """
    kept = {key: value for key, value in base.items() if key not in OURS_TO_SET}
    return {**kept, "OMP_NUM_THREADS": str(THREADS), "HF_HUB_OFFLINE": "1"}


class Worker:
    """One contender's process."""

    def __init__(self, name: str, python: str, options: Mapping[str, Any]) -> None:
        self.name = name
        kind, _, device = name.partition(" on ")
        given = {**options, "device": device} if device else options
        command = [python, "-m", "tests.bench.worker", kind, json.dumps(given)]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=worker_env(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # its errors come as answers
            text=True,
            start_new_session=True,  # Ctrl-C is ours to pass on
        )
        try:
            self._read()  # it has loaded
        except BaseException:
            self.close()
            raise

    def ask(self, verb: str, *arguments: Any) -> Any:
        """What the contender's method `verb` gives."""
        assert self._process.stdin is not None, "asked for a pipe"
        command = json.dumps({"verb": verb, "arguments": arguments})
        try:
            self._process.stdin.write(command + "\n")
            self._process.stdin.flush()
        except OSError:
            raise NotMeasured(f"{self.name}: its process has ended") from None
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None, "asked for a pipe"
        line = self._process.stdout.readline()
        if not line:
            raise NotMeasured(f"{self.name}: its process has ended")
        answer = json.loads(line)
        if "error" in answer:
            raise NotMeasured(f"{self.name}: {answer['error']}")
        return answer["value"]

    def close(self) -> None:
        """End the process now."""
        self._process.kill()  # it holds nothing that could be half-written
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


class Team:
    """Workers by name; a context that leaves no process behind."""

    def __init__(
        self, options: Mapping[str, Any], llama_python: str | None = None
    ) -> None:
        self._options = options
        self._pythons = {"llama.cpp": llama_python}
        self._workers: dict[str, Worker] = {}
        self.facts: dict[str, Any] = {}  # what each one says of itself

    def __enter__(self) -> Team:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        for name in list(self._workers):
            self.dismiss(name)

    def has(self, name: str) -> bool:
        """False for a contender that could not be installed."""
        return self._pythons.get(name, sys.executable) is not None

    def ask(self, name: str, verb: str, *arguments: Any) -> Any:
        """Ask the contender called `name`, whose process is started if need be."""
        if name not in self._workers:
            python = self._pythons.get(name, sys.executable)
            if python is None:
                raise NotMeasured(f"{name} is not installed")
            self._workers[name] = Worker(name, python, self._options)
            self.facts[name] = self._workers[name].ask("facts")
        return self._workers[name].ask(verb, *arguments)

    def dismiss(self, name: str) -> None:
        """End the process of `name`, if it has one, and give its memory back."""
        worker = self._workers.pop(name, None)
        if worker is not None:
            worker.close()
