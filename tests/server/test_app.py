"""The endpoints beside chat, and what a server says while it cannot serve."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from labkit.clock import FakeClock
from labkit.records import Layer
from labkit.trace import Mark, Span, Trace
from server.backends import BackendState
from server.telemetry import TraceRecorder, TraceStore
from tests.server.conftest import Start
from tests.support.running import RunningServer
from tests.support.scripted_backend import TOTAL_BLOCKS


def test_health_counts_blocks_and_runs(scripted: Start) -> None:
    server, _ = scripted("a")
    server.chat()
    body = server.get("/health").json
    assert (body["status"], body["model"]) == ("ok", "scripted")
    assert body["labkit_free_blocks"] == body["labkit_total_blocks"] == TOTAL_BLOCKS
    assert (body["running"], body["waiting"]) == (0, 0)
    assert body["ended"]["finished"] == 1
    assert (body["kernels"], body["restarts"], body["detail"]) == (
        "none",
        0,
        "scripted",
    )


def test_while_loading_health_is_503_and_requests_may_come_back(
    scripted: Start,
) -> None:
    server, backend = scripted("a")
    backend.state = BackendState.LOADING
    health = server.get("/health")
    assert (health.status, health.json["status"]) == (503, "loading")
    for reply in (server.chat(), server.chat(stream=True), server.get("/v1/models")):
        assert (reply.status, reply.json["error"]["code"]) == (503, "model_loading")
        assert reply.headers["retry-after"] == "1"


def test_an_unexpected_failure_is_500_without_its_text(scripted: Start) -> None:
    server, backend = scripted("a")
    backend.refusals = [RuntimeError("secret")]
    reply = server.chat()
    assert (reply.status, reply.json["error"]["code"]) == (500, "internal_error")
    assert b"secret" not in reply.body
    assert server.get("/health").json["ended"]["failed"] == 1


def test_documentation_pages_that_load_foreign_scripts_are_off(scripted: Start) -> None:
    server, _ = scripted("a")
    assert {
        server.get(path).status for path in ("/docs", "/redoc", "/openapi.json")
    } == {404}


def test_a_prompt_that_never_fits_names_the_messages(
    tiny_server: RunningServer,
) -> None:
    messages = [{"role": "user", "content": "x" * 2000}]
    error = tiny_server.chat(messages=messages).json["error"]
    assert (error["param"], error["code"]) == ("messages", "context_length_exceeded")


def test_a_bias_outside_the_vocabulary_is_refused(tiny_server: RunningServer) -> None:
    reply = tiny_server.chat(logit_bias={"288": 1})
    assert (reply.status, reply.json["error"]["param"]) == (400, "logit_bias")


def test_an_answer_is_cut_to_the_room_that_is_left(tiny_server: RunningServer) -> None:
    body = tiny_server.chat(max_tokens=100_000, ignore_eos=True).json
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["total_tokens"] == 1024  # 64 blocks of 16


def test_a_request_without_a_limit_gets_the_default(scripted: Start) -> None:
    server, backend = scripted("a", default_max_tokens=7)
    run = server.chat(max_tokens=None).json["id"]
    assert backend.requests[run].max_tokens == 7


class Recorded(TraceRecorder):
    """A recorder of a trace that is there already."""

    gate: threading.Event | None = None  # the trace is not there before it is open

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace.request, FakeClock(), TraceStore(0), origin_s=0.0)
        self._trace = trace

    def trace(self) -> Trace:
        if self.gate is not None:
            assert self.gate.wait(10), "the event loop waited for the trace"
        return self._trace


def test_others_are_answered_while_a_trace_is_written_out(scripted: Start) -> None:
    server, _ = scripted("a")
    recorded = Recorded(Trace("long"))
    recorded.gate = threading.Event()
    server.routes.traces.put(recorded)
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(server.get, "/v1/traces/long")
        assert server.get("/health").status == 200
        recorded.gate.set()
        assert asked.result().json["request"] == "long"


def test_a_trace_comes_back_as_it_was_recorded(scripted: Start) -> None:
    server, _ = scripted("a")
    trace = Trace("long", {"note": "é"})
    key = trace.key(1, 2)
    trace.add(
        Mark("token", Layer.STREAMING, 0.5, key), Span("s", Layer.SAMPLING, 0, 1, key)
    )
    server.routes.traces.put(Recorded(trace))
    reply = server.get("/v1/traces/long")
    assert Trace.from_dict(reply.json) == trace
    assert reply.body.isascii()
    assert reply.headers["content-type"] == "application/json"
