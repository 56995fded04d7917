"""A run's engine steps → the events that clients see.

Text goes out as soon as the engine releases it, a token's score with the text that it
helped to release, a ping where nothing went out for a while. Every stream ends in
exactly one `Ended` or `Failed`; nothing comes after it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from labkit.clock import Clock
from labkit.dialects.events import (
    Ended,
    Failed,
    Kind,
    Ping,
    Problem,
    StreamEvent,
    TextPiece,
    TokenScore,
)
from labkit.dialects.events import FinishReason as WireFinish
from labkit.records import TokenEvent, Usage
from labkit.sequence import FinishReason
from server.backend import Run
from server.errors import problem_of
from server.outcomes import Advance
from server.telemetry import RunTrace

__all__ = ["Pieces", "Pulse", "Tally", "safely", "streamed"]

Spell = Callable[[int], tuple[str, bytes | None]]  # token id → its text and bytes
TOLD_AS: Final[Mapping[FinishReason, WireFinish]] = MappingProxyType(
    {
        FinishReason.STOP: WireFinish.STOP,
        FinishReason.LENGTH: WireFinish.LENGTH,
        FinishReason.ABORT: WireFinish.CANCELLED,
        FinishReason.ERROR: WireFinish.ERROR,
    }
)
LOGGER = logging.getLogger("server")
ENGINE_FAILED = Problem(
    500,
    "the engine failed on this request; try again",
    Kind.SERVER,
    code="engine_error",
)


class Pieces:
    """Token events → text pieces, with scores where they are wanted."""

    def __init__(self, spell: Spell, *, with_scores: bool) -> None:
        self._spell = spell
        self._with_scores = with_scores
        self._unsaid: list[TokenScore] = []  # tokens whose text is still held back

    def feed(self, event: TokenEvent) -> TextPiece | None:
        """The piece to show now; None where the text is still held back."""
        if self._with_scores and event.is_counted and event.token_id is not None:
            top = tuple(self._score(token, value) for token, value in event.top)
            self._unsaid.append(self._score(event.token_id, event.logprob, top))
        if not event.text:
            return None
        scores, self._unsaid = tuple(self._unsaid), []
        return TextPiece(event.text, scores)

    def _score(
        self, token_id: int, logprob: float | None, top: tuple[TokenScore, ...] = ()
    ) -> TokenScore:
        text, raw = self._spell(token_id)
        value = float("-inf") if logprob is None else logprob
        return TokenScore(text, raw, value, top)


class Pulse:
    """A run's steps, and a ping whenever nothing has gone out for `heartbeat_s`.

    One timer for the whole stream: a deadline for each step would cost every token.
    """

    def __init__(self, run: Run, heartbeat_s: float, clock: Clock) -> None:
        self._run = run
        self._heartbeat_s = heartbeat_s
        self._clock = clock
        self._sent_s = clock.now()
        self._timer = self._later(heartbeat_s)

    def sent(self) -> None:
        """Something has gone out just now."""
        self._sent_s = self._clock.now()

    async def next(self) -> Advance | Ping | None:
        """The next step, or a ping if it is due first; None after an abort."""
        return await self._run.next()

    def close(self) -> None:
        """No more pings."""
        self._timer.cancel()

    def _later(self, wait_s: float) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(wait_s, self._beat)

    def _beat(self) -> None:
        wait_s = self._sent_s + self._heartbeat_s - self._clock.now()
        if wait_s <= 0:
            self._run.put_ping()
        self._timer = self._later(wait_s if wait_s > 0 else self._heartbeat_s)


@dataclass(slots=True)
class Tally:
    """A run's tokens as they come."""

    prompt_tokens: int
    completion_tokens: int = 0
    cached_tokens: int | None = None  # known with the first step

    def add(self, advance: Advance) -> None:
        """Count what one step read from the cache and what it produced."""
        if self.cached_tokens is None:
            self.cached_tokens = advance.start
        for event in advance.events:
            self.completion_tokens += event.is_counted and event.token_id is not None

    def usage(self) -> Usage:
        """The tokens so far."""
        cached = self.cached_tokens or 0
        return Usage(self.prompt_tokens, self.completion_tokens, cached)


async def streamed(
    pulse: Pulse, tally: Tally, pieces: Pieces, trace: RunTrace
) -> AsyncIterator[StreamEvent]:
    """Every event of an admitted run but `Started`."""
    with closing(pulse):
        while (item := await pulse.next()) is not None:
            if isinstance(item, Ping):
                yield item
                pulse.sent()
                continue
            trace.advance(item)
            tally.add(item)
            for event in item.events:
                piece = pieces.feed(event)
                if piece is not None:
                    yield piece
                    pulse.sent()
                trace.handed(event.index, piece)
                if event.finish is not None:
                    yield _end(event.finish, tally, trace)
                    return
        yield _end(FinishReason.ABORT, tally, trace)


def _end(finish: FinishReason, tally: Tally, trace: RunTrace) -> Ended | Failed:
    trace.note(finish=str(finish), completion_tokens=tally.completion_tokens)
    if finish is FinishReason.ERROR:
        LOGGER.error("request %s: %s", trace.trace.request, ENGINE_FAILED.message)
        return Failed(ENGINE_FAILED)
    return Ended(TOLD_AS[finish], tally.usage())


async def safely(
    events: AsyncIterator[StreamEvent], request_id: str
) -> AsyncIterator[StreamEvent]:
    """The same events; an exception becomes a last `Failed`."""
    try:
        async for event in events:
            yield event
    except Exception as error:
        yield Failed(problem_of(error, request_id))
