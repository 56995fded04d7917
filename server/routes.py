"""Every endpoint.

Bodies are read and parsed here by our own strict reader, not by FastAPI. What an
endpoint answers with is built by the dialect and sent by a transport.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from labkit.clock import Clock
from labkit.dialects import openai
from labkit.dialects.events import ApiError, ChatRequest, Problem
from labkit.dialects.openai_body import to_chat
from labkit.dialects.wire import to_json, to_json_by_item
from labkit.records import Layer
from server.admission import Admission, Seat
from server.backends import Backend, BackendState
from server.http.body import (
    check_content_type,
    check_encoding,
    read_body,
    read_object,
)
from server.http.connection import beat_every, unless_gone
from server.idempotency import SharedAnswer, SharedAnswers
from server.limits import limiter_of
from server.outcomes import Outcome
from server.outputs import Observer
from server.pipeline import RequestContext, answer, known_names, require_model
from server.settings import Settings
from server.telemetry import OutcomeCounts, TraceRecorder, TraceStore, server_timing
from server.transports import Events, EventStream, Heartbeat, whole

__all__ = ["Routes", "json_reply", "problem_reply"]


class Routes:
    """The endpoints of one server, and what they share."""

    def __init__(
        self, settings: Settings, backend: Backend, clock: Clock, is_shared: bool
    ) -> None:
        self.outcomes = OutcomeCounts()
        self._settings = settings
        self._backend = backend
        self._clock = clock
        self._is_shared = is_shared  # others than its owner have keys
        self._admission = Admission(settings.max_running + settings.max_waiting)
        self._limiter = limiter_of(settings, clock)
        self._shared = SharedAnswers(
            settings.idempotency_s, settings.max_idempotent, clock
        )
        self.traces = TraceStore(settings.max_traces)
        self._started_unix = int(clock.unix())

    def router(self) -> APIRouter:
        """The server's whole surface."""
        router = APIRouter(redirect_slashes=False)
        for method, path, endpoint in (
            ("POST", "/v1/chat/completions", self.chat_completions),
            ("GET", "/v1/models", self.list_models),
            ("GET", "/v1/models/{model:path}", self.show_model),
            ("GET", "/v1/traces/{request_id}", self.show_trace),
            ("POST", "/v1/runs/{request_id}/cancel", self.cancel),
            ("POST", "/v1/runs/{request_id}/lease", self.renew_lease),
            ("GET", "/health", self.health),
        ):
            router.add_api_route(path, endpoint, methods=[method])
        return router

    async def chat_completions(self, request: Request) -> Response:
        """POST /v1/chat/completions."""
        settings, recorder = self._settings, self._recorder(request)
        lease_s = _lease(request, settings.lease_s)
        chat = await _read(request, settings)
        recorder.lap("parse", Layer.GATEWAY)
        recorder.note(stream=chat.is_stream)
        observers: list[Observer] = [recorder, self.outcomes]
        context = self._context(request, lease_s, observers)
        shared = self._shared_answer(request, chat, context)
        if not chat.is_stream:
            events = shared.read() if shared else self._answer(chat, context)
            body = await unless_gone(request.receive, whole(events, chat))
            timing = {"Server-Timing": server_timing(recorder.lengths())}
            return Response(body, headers=timing, media_type="application/json")
        patience = request.headers.get("x-stainless-read-timeout")
        heartbeat = Heartbeat(beat_every(patience, settings.heartbeat_s))
        if shared is None:
            observers.append(heartbeat)
            events = self._answer(chat, context)
        else:
            events = shared.read(on_close=heartbeat.stop)
        first = await unless_gone(request.receive, anext(events))
        frames = openai.OpenAIFrames(
            with_usage=chat.wants_usage, with_logprobs=chat.wants_logprobs
        )
        return EventStream(
            first,
            events,
            frames,
            heartbeat=heartbeat,
            server_timing=server_timing(recorder.lengths()),
            write_s=settings.write_timeout_s,
        )

    async def list_models(self) -> Response:
        """GET /v1/models: the model's name and its aliases."""
        names = known_names(self._backend.served(), self._settings.model_aliases)
        return json_reply(openai.model_list(names, self._started_unix))

    async def show_model(self, model: str) -> Response:
        """GET /v1/models/{model}; names may hold slashes."""
        require_model(model, self._backend, self._settings.model_aliases)
        return json_reply(openai.model_card(model, self._started_unix))

    async def show_trace(self, request: Request, request_id: str) -> Response:
        """GET /v1/traces/{id}: one of the tenant's newest, finished or not."""
        recorder = self.traces.get(_tenant(request), request_id)
        if recorder is None:
            kept = self._settings.max_traces
            text = f"no trace of {request_id[:60]!r}; the newest {kept} are kept"
            raise ApiError(Problem(404, text, code="trace_not_found"))
        text = await asyncio.to_thread(
            lambda: to_json_by_item(recorder.trace().to_dict())
        )
        return Response(text, media_type="application/json")

    async def cancel(self, request: Request, request_id: str) -> Response:
        """POST /v1/runs/{id}/cancel; no error where the request has ended."""
        tenant = _tenant(request)
        if (seat := self._admission.find(tenant, request_id)) is not None:
            seat.end(Outcome.CANCELLED)
            return json_reply({"id": request_id, "status": "cancelled"})
        if self.traces.get(tenant, request_id) is not None:
            return json_reply({"id": request_id, "status": "ended"})
        raise _not_found(request_id)

    async def renew_lease(self, request: Request, request_id: str) -> Response:
        """POST /v1/runs/{id}/lease: the client still listens."""
        seat: Seat | None = self._admission.find(_tenant(request), request_id)
        if seat is None:
            raise _not_found(request_id)
        if seat.lease_s is None:
            text = (
                f"run {request_id[:60]!r} has no lease; ask for one with "
                "X-Lease-Seconds"
            )
            raise ApiError(Problem(409, text, code="no_lease"))
        seat.renew()
        return json_reply({"id": request_id, "lease_s": seat.lease_s})

    async def health(self, request: Request) -> Response:
        """GET /health: 200 when requests can be served, 503 otherwise.

        Counts are told where the server is its owner's alone: free blocks would tell
        one tenant how long another's prompt is.
        """
        status = self._backend.status()
        may_count = request.state.principal is not None and not self._is_shared
        counts = status.counts if may_count else None
        is_ready = status.state is BackendState.READY
        served = self._backend.served() if is_ready else None
        body = {
            "status": str(status.state),
            "detail": status.detail,
            "model": served.name if served else None,
            "kernels": served.kernels if served else None,
            "chat_template": (served.template_fault or "ok") if served else None,
            "restarts": status.num_restarts,
            "labkit_free_blocks": counts.free_blocks if counts else None,
            "labkit_total_blocks": counts.total_blocks if counts else None,
            "running": counts.num_running if counts else None,
            "waiting": counts.num_waiting if counts else None,
            "ended": dict(self.outcomes.by_outcome()) if may_count else None,
        }
        return json_reply(body, 200 if is_ready else 503)

    def _context(
        self, request: Request, lease_s: float | None, observers: list[Observer]
    ) -> RequestContext:
        """What belongs to the request; a meter of limits joins the observers."""
        meter, tell = None, request.state.headers.extend
        if self._limiter is not None:
            tier = request.state.principal.tier
            meter = self._limiter.meter(_tenant(request), tier, tell)
            observers.append(meter)
        return RequestContext(
            request.state.run,
            int(self._clock.unix()),
            self._settings.default_max_tokens,
            self._settings.model_aliases,
            observers,
            lease_s=lease_s,
            tenant=_tenant(request),
            meter=meter,
        )

    def _answer(self, chat: ChatRequest, context: RequestContext) -> Events:
        return answer(chat, context, self._backend, self._admission)

    def _shared_answer(
        self, request: Request, chat: ChatRequest, context: RequestContext
    ) -> SharedAnswer | None:
        """The answer that belongs to the request's Idempotency-Key, if it has one."""
        key = request.headers.get("idempotency-key")
        if key is None:
            return None
        place, run = (context.tenant, key), context.request_id
        found = self._shared.answer_to(
            place, chat, run, lambda: self._answer(chat, context)
        )
        if found.request_id != run:  # the answer is known by the first one's id
            headers = request.state.headers
            headers[0] = (b"x-request-id", found.request_id.encode())
            headers.append((b"idempotent-replayed", b"true"))
        return found

    def _recorder(self, request: Request) -> TraceRecorder:
        return TraceRecorder(
            request.state.run,
            self._clock,
            self.traces,
            origin_s=request.state.received_s,
            max_steps=self._settings.max_trace_steps,
            tenant=_tenant(request),
        )


def json_reply(
    data: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON answer in ASCII, whatever text is inside."""
    text = to_json(data)
    return Response(text, status, dict(headers or {}), "application/json")


def problem_reply(problem: Problem) -> Response:
    """An error in the OpenAI shape."""
    return json_reply(openai.error_body(problem), problem.status, problem.headers())


async def _read(request: Request, settings: Settings) -> ChatRequest:
    check_encoding(request.headers.get("content-encoding", ""))
    check_content_type(request.headers.get("content-type", ""))
    declared = request.headers.get("content-length")
    raw = await read_body(request.receive, declared, settings)
    return await read_object(raw, settings.max_json_depth, to_chat)


def _tenant(request: Request) -> str:
    """Whose request it is, as the keyring found."""
    tenant: str = request.state.principal.tenant
    return tenant


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


def _not_found(request_id: str) -> ApiError:
    """The refusal of an id that no request in flight has."""
    text = f"no run {request_id[:60]!r} is in flight; it may have ended"
    return ApiError(Problem(404, text, code="run_not_found"))
