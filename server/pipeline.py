"""A request's life on one screen: check, assemble, admit, stream, settle.

`answer` is the only place where the server's policies meet. Whatever it raises before
its first event becomes an HTTP status; after that a failure is an event. However it
ends, also when the client leaves, the run is aborted, unlisted and counted once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, replace
from functools import partial

from labkit.clock import Clock
from labkit.dialects.events import (
    ApiError,
    ChatRequest,
    Ended,
    Failed,
    Problem,
    Started,
    StreamEvent,
)
from labkit.errors import LabError
from labkit.records import Layer
from labkit.sequence import SamplingParams
from server.backend import Backend, Run, Served
from server.outcomes import Outcome
from server.runs import LiveRun, Runs
from server.settings import Settings
from server.stream import Pieces, Pulse, Tally, safely, streamed
from server.telemetry import OutcomeCounts, RunTrace, TraceStore

__all__ = ["Desk", "Ticket", "answer", "known_names", "require_model"]


@dataclass(frozen=True, slots=True)
class Desk:
    """What every request needs; made once, by the app."""

    settings: Settings
    backend: Backend
    clock: Clock
    runs: Runs
    traces: TraceStore
    outcomes: OutcomeCounts


@dataclass(frozen=True, slots=True)
class Ticket:
    """One request's own things: its id, its trace and the lease it asked for."""

    run: str
    trace: RunTrace
    lease_s: float | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request as the engine takes it."""

    ids: list[int]
    params: SamplingParams


async def answer(
    chat: ChatRequest, ticket: Ticket, desk: Desk
) -> AsyncGenerator[StreamEvent, None]:
    """One request's life, from checked body to settled run."""
    outcome = Outcome.CLIENT_CLOSED  # stands where nothing below says otherwise
    try:
        served = require_model(chat.model, desk)
        prompt = await assemble(chat, served, ticket, desk)
        run = await desk.backend.submit(ticket.run, prompt.ids, prompt.params)
        with desk.runs.listed(
            ticket.run, partial(_abort, ticket, desk), ticket.lease_s
        ) as live:
            yield begin(chat, prompt, served, ticket, desk)
            ticket.trace.started()
            async for event in stream(run, chat, prompt, ticket, desk):
                outcome = _outcome(event, live) or outcome
                yield event
    except LabError:
        outcome = Outcome.REFUSED
        raise
    except Exception:
        outcome = Outcome.FAILED
        raise
    finally:
        _abort(ticket, desk)
        settle(outcome, ticket, desk)


def require_model(name: str, desk: Desk) -> Served:
    """The model that `name` stands for; 404 where it stands for none."""
    served = desk.backend.served()
    if name in known_names(served, desk.settings):
        return served
    text = f"no model {name[:60]!r} here; ask GET /v1/models for the names"
    raise ApiError(Problem(404, text, code="model_not_found", param="model"))


def known_names(served: Served, settings: Settings) -> tuple[str, ...]:
    """The model's own name, then its aliases."""
    return tuple(dict.fromkeys((served.name, *settings.model_aliases)))


async def assemble(
    chat: ChatRequest, served: Served, ticket: Ticket, desk: Desk
) -> Prompt:
    """Messages → prompt text → token ids, and the sampling that fits beside them."""
    messages = [{"role": str(m.role), "content": m.text} for m in chat.messages]
    text = desk.backend.render(messages)
    ticket.trace.lap("render", Layer.CONTEXT)
    ids = await asyncio.to_thread(desk.backend.encode, text)  # long prompts take long
    ticket.trace.lap("tokenize", Layer.TOKENS)
    ticket.trace.note(prompt_tokens=len(ids), model=served.name, device=served.device)
    return Prompt(ids, fitted(chat, served, len(ids), desk.settings.default_max_tokens))


def fitted(
    chat: ChatRequest, served: Served, num_prompt: int, default_tokens: int
) -> SamplingParams:
    """The sampling asked for, with `max_tokens` cut to the room that is left."""
    wish = chat.max_tokens or default_tokens
    room = max(1, served.max_context - num_prompt)  # without room the engine refuses
    return replace(chat.sampling, max_tokens=min(wish, room))


def begin(
    chat: ChatRequest, prompt: Prompt, served: Served, ticket: Ticket, desk: Desk
) -> Started:
    """The engine has taken the request: its trace can be asked for."""
    desk.traces.put(ticket.trace.trace)
    ticket.trace.note(stream=chat.is_stream, max_tokens=prompt.params.max_tokens)
    return Started(ticket.run, served.name, int(desk.clock.unix()), len(prompt.ids))


def stream(
    run: Run, chat: ChatRequest, prompt: Prompt, ticket: Ticket, desk: Desk
) -> AsyncIterator[StreamEvent]:
    """The run's events up to its one end."""
    pulse = Pulse(run, desk.settings.heartbeat_s, desk.clock)
    pieces = Pieces(desk.backend.token, with_scores=chat.wants_logprobs)
    return safely(
        streamed(pulse, Tally(len(prompt.ids)), pieces, ticket.trace), ticket.run
    )


def settle(outcome: Outcome, ticket: Ticket, desk: Desk) -> None:
    """Close the books of a run, once."""
    ticket.trace.settle(outcome)
    desk.outcomes.add(outcome)


def _abort(ticket: Ticket, desk: Desk) -> None:
    desk.backend.abort(ticket.run)  # of no effect on a run that has ended


def _outcome(event: StreamEvent, live: LiveRun) -> Outcome | None:
    """How the run ended, if `event` is its end."""
    match event:
        case Ended():
            return live.ended_by or Outcome.FINISHED
        case Failed():
            return Outcome.FAILED
    return None
