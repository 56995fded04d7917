"""`python -m server.backend.child FD FD`: the worker of the process that started it.

The first thing that comes is how to load the engine. Ends when told to, or at once when
the other process is gone.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from server.backend.heap import freeze_heap
from server.backend.messages import News
from server.backend.worker import Worker

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

__all__ = ["main"]


def main(commands: Connection, news: Connection) -> int:
    """Work for whoever holds the other ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C: the other one will tell us
    load = partial(_load_for_good, commands.recv())
    worker = Worker(load, lambda told: _tell(news, told))
    threading.Thread(target=_listen, args=(commands, worker), daemon=True).start()
    worker.run()
    return 0


def _load_for_good(load: Callable[[], Engine]) -> Engine:
    engine = load()
    freeze_heap()
    return engine


def _listen(commands: Connection, worker: Worker) -> None:
    """Take commands in at once: the one who gives them never waits for a step."""
    while True:
        try:
            worker.put(commands.recv())
        except (EOFError, OSError):
            os._exit(0)  # nobody is left to work for


def _tell(news: Connection, told: News) -> None:
    try:
        news.send_bytes(pickle.dumps(told))  # faster than `send`, which copies more
    except OSError:
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main(*(Connection(int(number)) for number in sys.argv[1:])))
