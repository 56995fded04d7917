"""The server's side of an engine core: prompts, open requests, and what to do on death.

A `Backend` but for how a core is launched, told and killed, which is what thread and
process differ in. A request is answered whatever happens: an engine that dies or says
nothing for too long is replaced, as often as the restart budget allows, and everybody
who waited for it is told.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from labkit.clock import SystemClock
from labkit.dialects.events import ApiError, FinishReason, Kind, Message, Problem
from labkit.records import EngineCounts, Usage
from labkit.text.template import ChatTemplate
from labkit.text.tokenizer import Tokenizer
from server.backends.engine_core import (
    Abort,
    Add,
    Admitted,
    Command,
    Loaded,
    News,
    Over,
    Refused,
    Stepped,
)
from server.backends.protocol import (
    BackendRequest,
    BackendState,
    BackendStatus,
    Served,
    broken_off,
    not_ready,
)
from server.outputs import Accepted, Output

if TYPE_CHECKING:
    from labkit.engine.engine import Engine

__all__ = ["EngineClient", "Supervision"]

STEP_FAILED = "the engine failed on this request; try again"


@dataclass(frozen=True, slots=True)
class Supervision:
    """How patient a client is with its engine, and how often it replaces one."""

    step_timeout_s: float = 60.0  # silence of an engine that has work; then it is dead
    max_restarts: int = 3  # within `restart_window_s`; then the server gives up
    restart_window_s: float = 600.0


class EngineClient:
    """Its methods are the event loop's, but for `status`."""

    def __init__(
        self, load: Callable[[], Engine], supervision: Supervision | None = None
    ) -> None:
        self._load = load
        self._supervision = supervision or Supervision()
        self._clock = SystemClock()  # the engine stamps its steps with the same one
        self._state, self._detail = BackendState.LOADING, "the model is being loaded"
        self._counts: EngineCounts | None = None
        self._served: Served | None = None
        self._prompts: _Prompts | None = None
        self._source: object = None  # whose news are listened to
        self._send: Callable[[Command], None]  # gets it to the core without waiting
        self._open: dict[str, _OpenRequest] = {}
        self._restarts: deque[float] = deque()  # moments of the newest ones
        self._num_restarts = 0
        self._is_closing = False
        self._loop: asyncio.AbstractEventLoop | None = None  # where it was started
        self._heard_s = 0.0  # loop's time of the last news, or of the first request
        self._watchdog: asyncio.TimerHandle | None = None

    def _launch(self) -> None:
        """Start a core, which loads the engine first; sets `_source` and `_send`."""
        raise NotImplementedError

    def _kill(self) -> None:
        """Get rid of the core, whatever it is doing; none of its news come any more."""
        raise NotImplementedError

    def start(self) -> None:
        """Begin to load the model."""
        self._loop = asyncio.get_running_loop()
        self._launch()

    def status(self) -> BackendStatus:
        """State and counts as of the last news."""
        counts = self._counts if self._state is BackendState.READY else None
        return BackendStatus(self._state, self._detail, counts, self._num_restarts)

    def served(self) -> Served:
        """The model's name and limits."""
        if self._served is None or self._state is not BackendState.READY:
            raise not_ready(self.status())
        return self._served

    async def count(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt that the messages make."""
        self.served()
        assert self._prompts is not None, "it came with the news of being ready"
        ids, _ = await asyncio.to_thread(self._prompts.make, messages)
        return len(ids)

    async def answer(self, request: BackendRequest) -> AsyncGenerator[Output, None]:
        """Make the prompt, hand it to the engine, and give what the engine says."""
        served = self.served()
        assert self._prompts is not None, "it came with the news of being ready"
        ids, rendered_s = await asyncio.to_thread(self._prompts.make, request.messages)
        self.served()  # the engine may have died meanwhile
        room = max(1, served.max_context - len(ids))  # without room it is refused
        params = replace(request.params, max_tokens=min(request.max_tokens, room))
        most, now_s = params.max_tokens, self._clock.now()
        accepted = Accepted(rendered_s, now_s, most, served.name, served.device)
        opened = _OpenRequest(request, Output(Usage(len(ids), 0), accepted=accepted))
        self._open[request.request_id] = opened
        self._watch()
        self._send(Add(request.request_id, tuple(ids), params, request.salt))
        try:
            while True:
                item = await opened.mailbox.get()
                if isinstance(item, BaseException):
                    raise item
                yield item
                if item.finish is not None:
                    return
        finally:
            if self._open.pop(request.request_id, None) is not None:
                self._send(Abort(request.request_id))

    def abort(self, request_id: str) -> None:
        """Ask the core to end a request with its next step."""
        if request_id in self._open:
            self._send(Abort(request_id))

    def _begin_closing(self) -> None:
        """Tell everybody now: the engine may not come to it. Called in any thread."""
        self._is_closing = True
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._end, "", False)

    def _is_waiting(self) -> bool:
        """Whether the core has something to say."""
        return bool(self._open)

    def _watch(self) -> None:
        """See to it that the core goes on to speak."""
        if self._watchdog is None:
            self._heard_s = asyncio.get_running_loop().time()
            self._look_after()

    def _hear(self, source: object, news: News) -> None:
        """Take in what the core says: the counts first, then to whom it matters."""
        if source is not self._source:
            return  # this core was given up
        self._heard_s = asyncio.get_running_loop().time()
        if isinstance(news, Stepped):
            self._counts = news.counts
            for request_id, output in news.outputs:
                self._hand_over(request_id, output)
        else:
            self._hear_of_change(news)

    def _hear_of_change(self, news: Loaded | Admitted | Refused | Over) -> None:
        match news:
            case Admitted():
                self._counts = news.counts
                if (opened := self._open.get(news.request_id)) is not None:
                    self._hand_over(news.request_id, opened.first)
            case Refused():
                self._fail(news.request_id, news.error)
            case Loaded():
                self._take_in(news)
            case Over():
                self._end(news.detail, can_restart=news.can_restart)

    def _hand_over(self, request_id: str, output: Output) -> None:
        """Show an output to its observers and put it where its reader waits."""
        if (opened := self._open.get(request_id)) is None:
            return  # its reader has left
        try:
            for on_event in opened.on_event:
                on_event(output)
        except Exception as error:
            self._send(Abort(request_id))
            self._fail(request_id, error)
            return
        if output.finish is FinishReason.ERROR:
            problem = Problem(500, STEP_FAILED, Kind.SERVER, code="engine_error")
            self._fail(request_id, ApiError(problem))
            return
        if output.finish is not None:
            del self._open[request_id]
        opened.mailbox.put_nowait(output)

    def _fail(self, request_id: str, error: Exception) -> None:
        """Tell the reader of a request why nothing more will come."""
        if (opened := self._open.pop(request_id, None)) is not None:
            opened.mailbox.put_nowait(error)

    def _take_in(self, loaded: Loaded) -> None:
        self._prompts = _Prompts(loaded, self._clock)
        self._served, self._counts = loaded.served, loaded.counts
        if self._state is BackendState.RESTARTING:
            logging.getLogger(__name__).warning("a new engine has taken over")
        self._state, self._detail = BackendState.READY, ""

    def _look_after(self) -> None:
        """Find an engine that has work and says nothing; looks while there is work."""
        loop, limit_s = asyncio.get_running_loop(), self._supervision.step_timeout_s
        self._watchdog = None
        if not self._is_waiting():
            return
        wait_s = self._heard_s + limit_s - loop.time()
        if wait_s > 0:
            self._watchdog = loop.call_later(wait_s, self._look_after)
        else:
            self._end(f"the engine said nothing for {limit_s:g} s", can_restart=True)

    def _end(self, detail: str, can_restart: bool) -> None:
        """The engine is no more: replace it if that may help, and tell everybody."""
        if self._state in (BackendState.FAILED, BackendState.CLOSED):
            return
        self._source = None
        self._kill()
        log, supervision = logging.getLogger(__name__), self._supervision
        if self._is_closing:
            self._state, self._detail = BackendState.CLOSED, "the server is stopping"
        elif can_restart and self._may_restart():
            self._num_restarts += 1
            allowed = f"{len(self._restarts)} of {supervision.max_restarts}"
            self._state = BackendState.RESTARTING
            self._detail = f"{detail}; a new one is being loaded (restart {allowed})"
            log.error("%s", self._detail)
        else:
            remedy = "; start the server anew" if can_restart else ""
            self._state, self._detail = BackendState.FAILED, detail + remedy
            log.error("%s", self._detail)
        for request_id in list(self._open):
            self._fail(request_id, broken_off(self.status()))
        if self._state is BackendState.RESTARTING:
            self._launch()

    def _may_restart(self) -> bool:
        """Whether the budget has room for one more restart; takes it."""
        now_s, restarts = asyncio.get_running_loop().time(), self._restarts
        while restarts and restarts[0] <= now_s - self._supervision.restart_window_s:
            restarts.popleft()
        if len(restarts) >= self._supervision.max_restarts:
            return False
        restarts.append(now_s)
        return True


class _OpenRequest:
    """A request that the engine has been given, and where its reader waits."""

    def __init__(self, request: BackendRequest, first: Output) -> None:
        self.first = first
        self.on_event = [o.on_event for o in request.observers if o.on_event]
        self.mailbox: asyncio.Queue[Output | BaseException] = asyncio.Queue()


class _Prompts:
    """Makes prompts as the engine would: the same template, the same vocabulary."""

    def __init__(self, loaded: Loaded, clock: SystemClock) -> None:
        self._clock = clock
        spec, served = loaded.tokenizer, loaded.served
        self._tokenizer = Tokenizer.from_spec(spec)
        self._fault = served.template_fault
        if self._fault is None:
            self._template = ChatTemplate.from_spec(spec, self._tokenizer, served.name)
        else:  # it can be served, but not chatted with
            logging.getLogger(__name__).warning("no chats: %s", self._fault)

    def make(self, messages: Sequence[Message]) -> tuple[list[int], float]:
        """Token ids of the prompt, and when its text was there; for any thread."""
        if self._fault is not None:
            raise ApiError(Problem(400, self._fault, code="no_chat_template"))
        plain = [{"role": str(m.role), "content": m.text} for m in messages]
        text = self._template.render(plain)
        rendered_s = self._clock.now()
        return self._tokenizer.encode(text, allow_special=True), rendered_s
