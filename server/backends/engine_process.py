"""The engine in a process of its own, so that nobody waits for the other's Python.

The event loop writes frames while the engine prepares its next step; in one interpreter
each token would cost the sum of both. vLLM divides its server in the same way (V1's
EngineCore). The event loop never waits for a pipe: it reads what is there, be it half a
message, and a thread writes. When one of the two processes dies, the other notices.
"""

from __future__ import annotations

import asyncio
import copyreg
import gc
import multiprocessing
import os
import pickle
import queue
import signal
import threading
from collections.abc import Callable
from dataclasses import fields
from multiprocessing.connection import Connection
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.dialects.events import TokenScore
from labkit.records import EngineCounts, Usage
from server.backends.engine_client import EngineClient
from server.backends.engine_core import Command, EngineCore, News, Stepped, Stop
from server.outputs import Output, StepTiming
from server.settings import Settings

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

    from labkit.engine.engine import Engine

__all__ = ["EngineProcessClient", "MessageReader", "freeze_heap", "load_engine"]

SPAWN = multiprocessing.get_context(
    "spawn"
)  # a fork would copy threads that hold locks
CHUNK = 65536  # bytes to read at once; what a pipe holds


class EngineProcessClient(EngineClient):
    """A `Backend` whose engine core is a process; `load` is pickled and runs there."""

    _process: SpawnProcess | None = None
    _news: Connection
    _commands: queue.SimpleQueue[Command | None]
    _reader: MessageReader

    @property
    def pid(self) -> int | None:
        """Id of the process, None where there is none."""
        return None if self._process is None else self._process.pid

    @property
    def is_amid_message(self) -> bool:
        """Whether a part of a message has come, and the rest not yet."""
        return self._reader.is_amid

    def close(self, wait_s: float) -> None:
        """End all requests, end the process, by force after `wait_s`."""
        self._begin_closing()
        if (process := self._process) is None:
            return
        self._send(Stop())
        process.join(wait_s)
        if process.exitcode is None:
            process.kill()
            process.join()

    def _launch(self) -> None:
        theirs, ours = SPAWN.Pipe(duplex=False)
        self._news, their_news = SPAWN.Pipe(duplex=False)
        self._commands, self._reader = queue.SimpleQueue(), MessageReader()
        self._source, self._send = self._news, self._commands.put
        self._process = SPAWN.Process(
            target=_work, args=(self._load, theirs, their_news), daemon=True
        )
        self._process.start()
        theirs.close()
        their_news.close()
        threading.Thread(
            target=_write, args=(ours, self._commands), name="commands", daemon=True
        ).start()
        asyncio.get_running_loop().add_reader(self._news.fileno(), self._read)

    def _is_waiting(self) -> bool:
        return super()._is_waiting() or self._reader.is_amid

    def _kill(self) -> None:
        assert self._process is not None, "it was launched"
        asyncio.get_running_loop().remove_reader(self._news.fileno())
        self._news.close()
        self._commands.put(None)
        if self._is_closing:
            return  # `close` waits for its end
        self._process.kill()  # also one that is stopped; of no effect on a dead one
        threading.Thread(target=self._process.join, daemon=True).start()

    def _read(self) -> None:
        """There is news, a part of one, or the end of all news."""
        news = self._news
        try:
            piece = os.read(news.fileno(), CHUNK)
            messages = self._reader.feed(piece)
            heard = [pickle.loads(message) for message in messages]
        except Exception as error:  # what cannot be read tells nothing any more
            self._end(f"the engine's process sent garbage: {error}", can_restart=True)
            return
        for each in heard:
            self._hear(news, each)
        if not piece:
            self._end(self._farewell(), can_restart=True)
        elif self._reader.is_amid:
            self._watch()

    def _farewell(self) -> str:
        assert self._process is not None, "it was launched before it was read"
        self._process.join(1.0)  # it has closed its pipe, so it is ending
        return f"the engine's process has ended, code {self._process.exitcode}"


class MessageReader:
    """Bytes of a `Connection` to whole messages: a length of 4 bytes, then so many."""

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def is_amid(self) -> bool:
        """Whether a message has begun and is not complete."""
        return bool(self._held)

    def feed(self, piece: bytes) -> list[bytes]:
        """The messages that `piece` completes."""
        self._held += piece
        found, at = [], 0
        while len(self._held) - at >= 4:
            length = int.from_bytes(self._held[at : at + 4], "big", signed=True)
            if length < 0:
                raise ValueError(f"a message of {length} bytes")
            if len(self._held) - at - 4 < length:
                break
            found.append(bytes(self._held[at + 4 : at + 4 + length]))
            at += 4 + length
        del self._held[:at]
        return found


def load_engine(settings: Settings) -> Engine:
    """Load the model that the settings name; takes seconds."""
    from labkit.engine import load  # noqa: PLC0415  # torch, after the port is bound

    path = Path(settings.model) if settings.model else None
    return load(path, device=settings.device, config=settings.engine())


def freeze_heap() -> None:
    """Keep the garbage collector away from what is there by now.

    A full collection walks over every object there is, 180,000 once torch and a
    tokenizer are loaded, and everything waits for 80 ms, in the middle of somebody's
    answer. vLLM and SGLang freeze theirs as well.
    """
    gc.collect()
    gc.freeze()


def _write(commands: Connection, waiting: queue.SimpleQueue[Command | None]) -> None:
    """Write commands as they come; None ends it. A full pipe makes only this wait."""
    with commands:
        while (command := waiting.get()) is not None:
            try:
                commands.send(command)
            except OSError:
                return  # the process is gone, which its news tell


def _work(load: Callable[[], Engine], commands: Connection, news: Connection) -> None:
    """What the engine's process does."""
    for ending in (signal.SIGINT, signal.SIGTERM):  # sent to a whole group of processes
        signal.signal(ending, signal.SIG_IGN)  # the server's process will tell us

    def load_for_good() -> Engine:
        engine = load()
        freeze_heap()
        return engine

    def tell(told: News) -> None:
        try:
            news.send_bytes(pickle.dumps(told))  # faster than `send`, which copies more
        except OSError:
            os._exit(0)  # nobody is left to work for

    def listen() -> None:
        try:
            while True:
                core.put(commands.recv())
        except (EOFError, OSError):
            os._exit(0)

    core = EngineCore(load_for_good, tell)
    threading.Thread(target=listen, daemon=True).start()
    core.run()


def _as_values(kind: type[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """How to pickle a dataclass of two fields or more: what to call, and with what."""
    values = attrgetter(*(field.name for field in fields(kind)))
    return lambda record: (kind, values(record))


# What passes with every token is pickled as its values: to read frozen dataclasses with
# slots Python would make 37 calls more a token.
for _kind in (Stepped, Output, StepTiming, Usage, EngineCounts, TokenScore):
    copyreg.pickle(_kind, _as_values(_kind))
