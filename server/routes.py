"""Every endpoint, and the two ways of sending an answer: as a stream and whole.

Bodies are read and parsed here by our own strict reader, not by FastAPI. A client that
leaves ends the work done for it, streamed or not; one that stops reading is hung up on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, MutableMapping
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from labkit.dialects import openai
from labkit.dialects.events import (
    ApiError,
    ChatRequest,
    Ended,
    Failed,
    Problem,
    Started,
    StreamEvent,
    TextPiece,
)
from labkit.dialects.openai_body import to_chat
from labkit.dialects.values import to_json, to_json_by_item
from labkit.records import Layer
from server.backend import BackendState
from server.errors import ClientGone
from server.http.away import unless_gone
from server.http.body import (
    Receive,
    check_content_type,
    check_encoding,
    read_body,
    read_object,
)
from server.http.edge import Send
from server.http.stall import WriteLimit, write_limit
from server.outcomes import Outcome
from server.pipeline import Desk, Ticket, answer, known_names, require_model
from server.telemetry import RunTrace, server_timing

__all__ = ["all_routes", "json_reply", "problem_reply"]

Events = AsyncGenerator[StreamEvent, None]


def all_routes() -> APIRouter:
    """The server's whole surface."""
    router = APIRouter(redirect_slashes=False)
    router.add_api_route("/v1/chat/completions", chat_completions, methods=["POST"])
    router.add_api_route("/v1/models", list_models, methods=["GET"])
    router.add_api_route("/v1/models/{model:path}", show_model, methods=["GET"])
    router.add_api_route("/v1/traces/{run}", show_trace, methods=["GET"])
    router.add_api_route("/v1/runs/{run}/cancel", cancel_run, methods=["POST"])
    router.add_api_route("/v1/runs/{run}/lease", renew_lease, methods=["POST"])
    router.add_api_route("/health", health, methods=["GET"])
    return router


async def chat_completions(request: Request) -> Response:
    """POST /v1/chat/completions."""
    desk: Desk = request.app.state.desk
    ticket = _ticket(request, desk)
    chat = await _read(request, desk)
    ticket.trace.lap("parse", Layer.GATEWAY)
    events = answer(chat, ticket, desk)
    if not chat.is_stream:
        return await unless_gone(request.receive, _whole(events, chat, ticket))
    first = await unless_gone(request.receive, anext(events))
    encoder = openai.OpenAIFrames(
        with_usage=chat.wants_usage, with_logprobs=chat.wants_logprobs
    )
    timing, wait_s = server_timing(ticket.trace.trace), desk.settings.write_timeout_s
    return EventStream(first, events, encoder, server_timing=timing, write_s=wait_s)


async def list_models(request: Request) -> Response:
    """GET /v1/models: the model's name and its aliases."""
    desk: Desk = request.app.state.desk
    names = known_names(desk.backend.served(), desk.settings)
    return json_reply(openai.model_list(names, request.app.state.started_unix))


async def show_model(request: Request, model: str) -> Response:
    """GET /v1/models/{model}; names may hold slashes."""
    require_model(model, request.app.state.desk)
    return json_reply(openai.model_card(model, request.app.state.started_unix))


async def show_trace(request: Request, run: str) -> Response:
    """GET /v1/traces/{run}: one of the newest traces, finished or not."""
    desk: Desk = request.app.state.desk
    trace = desk.traces.get(run)
    if trace is None:
        kept = desk.settings.max_traces
        text = f"no trace of {run[:60]!r}; the newest {kept} are kept"
        raise ApiError(Problem(404, text, code="trace_not_found"))
    text = await asyncio.to_thread(lambda: to_json_by_item(trace.to_dict()))
    return Response(text, media_type="application/json")


async def cancel_run(request: Request, run: str) -> Response:
    """POST /v1/runs/{run}/cancel; cancelling a run that has ended is no error."""
    desk: Desk = request.app.state.desk
    if desk.runs.has(run):
        desk.runs.get(run).end(Outcome.CANCELLED)
        return json_reply({"id": run, "status": "cancelled"})
    if desk.traces.get(run) is not None:
        return json_reply({"id": run, "status": "ended"})
    raise desk.runs.unknown(run)


async def renew_lease(request: Request, run: str) -> Response:
    """POST /v1/runs/{run}/lease: the client still listens."""
    desk: Desk = request.app.state.desk
    live = desk.runs.get(run)
    if live.lease_s is None:
        text = f"run {run[:60]!r} has no lease; ask for one with X-Lease-Seconds"
        raise ApiError(Problem(409, text, code="no_lease"))
    live.renew()
    return json_reply({"id": run, "lease_s": live.lease_s})


async def health(request: Request) -> Response:
    """GET /health: 200 when requests can be served, 503 otherwise."""
    desk: Desk = request.app.state.desk
    status = desk.backend.status()
    counts = status.counts
    is_ready = status.state is BackendState.READY
    body = {
        "status": str(status.state),
        "detail": status.detail,
        "model": desk.backend.served().name if is_ready else None,
        "labkit_free_blocks": counts.free_blocks if counts else None,
        "labkit_total_blocks": counts.total_blocks if counts else None,
        "running": counts.num_running if counts else None,
        "waiting": counts.num_waiting if counts else None,
        "ended": dict(desk.outcomes.by_outcome()),
    }
    return json_reply(body, 200 if is_ready else 503)


def json_reply(
    data: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON answer in ASCII, whatever text is inside."""
    text = to_json(data)
    return Response(text, status, dict(headers or {}), "application/json")


def problem_reply(problem: Problem) -> Response:
    """An error in the OpenAI shape."""
    return json_reply(openai.error_body(problem), problem.status, problem.headers())


async def _read(request: Request, desk: Desk) -> ChatRequest:
    check_encoding(request.headers.get("content-encoding", ""))
    check_content_type(request.headers.get("content-type", ""))
    declared = request.headers.get("content-length")
    raw = await read_body(request.receive, declared, desk.settings)
    return await read_object(raw, desk.settings.max_json_depth, to_chat)


def _ticket(request: Request, desk: Desk) -> Ticket:
    run: str = request.state.run
    trace = RunTrace(
        run,
        desk.clock,
        origin_s=request.state.received_s,
        max_steps=desk.settings.max_trace_steps,
    )
    return Ticket(run, trace, _lease(request, desk.settings.lease_s))


def _lease(request: Request, longest_s: float) -> float | None:
    text = request.headers.get("x-lease-seconds")
    if text is None:
        return None
    try:
        lease_s = float(text)
    except ValueError:
        lease_s = 0.0
    if 0 < lease_s <= longest_s:
        return lease_s
    reason = (
        f"X-Lease-Seconds: {text[:40]!r}; use more than 0 and at most {longest_s:g}"
    )
    raise ApiError(Problem(400, reason, code="invalid_value", param="X-Lease-Seconds"))


async def _whole(events: Events, chat: ChatRequest, ticket: Ticket) -> Response:
    """Collect a run into one body."""
    seen = []
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Failed):
                raise ApiError(event.problem)
            seen.append(event)
    started = next(e for e in seen if isinstance(e, Started))
    ended = next(e for e in seen if isinstance(e, Ended))
    pieces = [e for e in seen if isinstance(e, TextPiece)]
    wanted = chat.wants_logprobs
    body = openai.completion(started, pieces, ended, with_logprobs=wanted)
    timing = {"Server-Timing": server_timing(ticket.trace.trace)}
    return json_reply(body, headers=timing)


class EventStream(Response):
    """A run as server-sent events; one write a frame, each with a deadline."""

    def __init__(
        self,
        first: StreamEvent,
        events: Events,
        encoder: openai.OpenAIFrames,
        *,
        server_timing: str,
        write_s: float,
    ) -> None:
        headers = {
            "Cache-Control": "no-cache",
            "X-Accel-Buffering": "no",  # nginx would collect the stream otherwise
            "Server-Timing": server_timing,
        }
        super().__init__(None, 200, headers, "text/event-stream")
        del self.headers["content-length"]
        self._first = first
        self._events = events
        self._encoder = encoder
        self._write_s = write_s

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        """Send frames until the run ends or the client leaves."""
        async with aclosing(self._events):
            try:
                await unless_gone(receive, self._send_all(send))
            except ClientGone:
                return
            except TimeoutError:  # the client has stopped reading
                scope.get("state", {}).get("hang_up", lambda: None)()
                await asyncio.sleep(0)  # uvicorn hears of it in the next round

    async def _send_all(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        async with write_limit(self._write_s) as limit:
            await self._send_frames(self._first, send, limit)
            async for event in self._events:
                await self._send_frames(event, send, limit)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_frames(
        self, event: StreamEvent, send: Send, limit: WriteLimit
    ) -> None:
        for frame in self._encoder.feed(event):
            limit.began()
            part = {"type": "http.response.body", "body": frame, "more_body": True}
            await send(part)
        limit.done()
