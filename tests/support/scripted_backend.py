"""A backend without an engine: the test says what each request's next step does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Sequence

from labkit.clock import Clock
from labkit.dialects.events import FinishReason, Message, TokenScore
from labkit.records import EngineCounts, Usage
from labkit.sequence import SamplingParams
from server.backends import (
    BackendRequest,
    BackendState,
    BackendStatus,
    Served,
    not_ready,
)
from server.outputs import Accepted, Output, StepTiming

__all__ = ["TOTAL_BLOCKS", "ScriptedBackend"]

TOTAL_BLOCKS = 8
Item = Output | Exception


class ScriptedBackend:
    """Each request holds one block until its script ends or somebody aborts it.

    `script` is what every answer says at once, a piece a token, then it stops; None
    leaves the answers to the test, which calls `step`, `chunk`, `break_off`.
    """

    def __init__(self, clock: Clock, script: Sequence[str] | None = None) -> None:
        self.clock = clock
        self.script = script
        self.state = BackendState.READY
        self.refusals: list[Exception] = []  # raised by the next requests
        self.live: dict[str, asyncio.Queue[Item]] = {}
        self.requests: dict[str, BackendRequest] = {}
        self.params: dict[str, SamplingParams] = {}
        self.aborted: list[str] = []
        self.prompts: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: int | None = None
        self._num_prompt: dict[str, int] = {}
        self._said: dict[str, list[str]] = {}

    def start(self) -> None:
        """Nothing has to be loaded."""
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()

    def close(self, wait_s: float) -> None:
        self.state = BackendState.CLOSED
        for request in list(self.live):
            self.break_off(request, not_ready(self.status()))

    def status(self) -> BackendStatus:
        free = TOTAL_BLOCKS - len(self.live)
        counts = EngineCounts(free, TOTAL_BLOCKS, len(self.live), 0, 4)
        return BackendStatus(self.state, "scripted", counts)

    def served(self) -> Served:
        if self.state is not BackendState.READY:
            raise not_ready(self.status())
        return Served("scripted", "none", 100, None, "none")

    async def count(self, messages: Sequence[Message]) -> int:
        return len(self._prompt(messages))

    async def answer(self, request: BackendRequest) -> AsyncGenerator[Output, None]:
        name = request.request_id
        num_prompt = len(self._prompt(request.messages))
        self._num_prompt[name] = num_prompt
        if self.refusals:
            raise self.refusals.pop(0)
        self.requests[name], self._said[name] = request, []
        self.params[name] = request.params
        queue = self.live[name] = asyncio.Queue()
        now = self.clock.now()
        accepted = Accepted(now, now, request.max_tokens, "scripted", "none")
        self._put(name, Output(Usage(num_prompt, 0), accepted=accepted))
        for place, text in enumerate(self.script or ()):
            is_last = place + 1 == len(self.script or ())
            self.step(name, text, FinishReason.STOP if is_last else None)
        try:
            while True:
                item = await queue.get()
                if isinstance(item, Exception):
                    raise item
                yield item
                if item.finish is not None:
                    return
        finally:
            if self.live.pop(name, None) is not None:
                self.aborted.append(name)

    def abort(self, request_id: str) -> None:
        if request_id in self.live:
            self.aborted.append(request_id)
            usage = Usage(self._num_prompt[request_id], len(self._said[request_id]))
            last = Output(usage, finish=FinishReason.CANCELLED)
            self._put(request_id, last, is_last=True)

    def chunk(self, request: str) -> None:
        """A step that computes a part of the prompt."""
        self._put(
            request, Output(Usage(self._num_prompt[request], 0), timing=self._timing())
        )

    def step(
        self, request: str, text: str = "", finish: FinishReason | None = None
    ) -> None:
        """A step that samples one token."""
        said = self._said[request]
        said.append(text)
        token = len(said)
        score = TokenScore(
            f"t{token}",
            f"t{token}".encode(),
            -0.5,
            (
                TokenScore(f"t{token}", f"t{token}".encode(), -0.5),
                TokenScore("<end>", None, float("-inf")),
            ),
        )
        wants_scores = self.params[request].top_logprobs is not None
        output = Output(
            Usage(self._num_prompt[request], token),
            text,
            (score,) if wants_scores else (),
            token - 1,
            self.clock.now(),
            finish,
            timing=self._timing(),
        )
        self._put(request, output, is_last=finish is not None)

    def break_off(self, request: str, error: Exception) -> None:
        """The request fails."""
        self._put(request, error, is_last=True)

    def _prompt(self, messages: Sequence[Message]) -> bytes:
        self.prompts.append("".join(f"<{m.role}>{m.text}" for m in messages))
        return self.prompts[-1].encode()

    def _timing(self) -> StepTiming:
        now = self.clock.now()
        return StepTiming(0, now, now, now, now)

    def _put(self, name: str, item: Item, *, is_last: bool = False) -> None:
        """From any thread, as a test has them."""
        queue, request = self.live[name], self.requests[name]
        if is_last:  # before its reader can see it
            del self.live[name]

        def hand_over() -> None:
            if isinstance(item, Output):
                for observer in request.observers:
                    if observer.on_event is not None:
                        observer.on_event(item)
            queue.put_nowait(item)

        if self._loop is None or threading.get_ident() == self._thread:
            hand_over()
        else:
            self._loop.call_soon_threadsafe(hand_over)
