"""The client on a server that really listens, and on some that misbehave."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest

from labkit.clock import SystemClock
from labkit.errors import (
    ConfigError,
    InputError,
    ProtocolError,
    QueueFull,
    ServerUnavailable,
    TraceError,
)
from labkit.net.client import LabClient
from labkit.records import Layer, Usage
from server.settings import Settings
from tests.support.odd_server import OddServer, head
from tests.support.requests import openai_frames
from tests.support.running import RunningServer, wait_until
from tests.support.scripted_backend import ScriptedBackend
from tests.support.stream_vectors import CASES, plain

HI = [{"role": "user", "content": "hi 🍓"}]
SCRIPT = ("Str", "aw", "berry ", "🍓")


def client_of(url: str, model: str | None = "scripted") -> LabClient:
    return LabClient(url, SystemClock(), model=model)


@pytest.fixture
def server() -> Iterator[RunningServer]:
    clock = SystemClock()
    with RunningServer(Settings(), ScriptedBackend(clock, SCRIPT), clock) as running:
        yield running


@pytest.fixture
def paced() -> Iterator[RunningServer]:
    """A server whose runs say only what the test has them say."""
    clock = SystemClock()
    with RunningServer(Settings(), ScriptedBackend(clock), clock) as running:
        yield running


def test_streams_the_answer_with_its_end_and_usage(server: RunningServer) -> None:
    with client_of(server.url, model=None) as client, client.stream(HI) as stream:
        kinds = [chunk.kind for chunk in stream]
    assert stream.text == "Strawberry 🍓"
    assert kinds[0] == "role"
    assert kinds[-3:] == ["finish", "usage", "done"]
    assert stream.is_complete
    assert stream.finish == "stop"
    assert isinstance(stream.usage, Usage)
    assert stream.error is None


def test_raw_frames_are_what_the_wire_carried(server: RunningServer) -> None:
    with client_of(server.url) as client, client.stream(HI) as stream:
        chunks = list(stream)
    assert b"".join(stream.frames).decode() == "".join(chunk.raw for chunk in chunks)
    assert stream.frames[-1] == b"data: [DONE]\n\n"
    assert stream.rest == b""


def test_stamps_never_go_back(server: RunningServer) -> None:
    with client_of(server.url) as client, client.stream(HI) as stream:
        times = [chunk.time_s for chunk in stream]
    assert times == sorted(times)
    assert times[0] > 0


def test_an_unknown_knob_is_refused_with_the_nearest(server: RunningServer) -> None:
    with (
        client_of(server.url) as client,
        pytest.raises(ConfigError, match="did you mean temperature"),
    ):
        client.stream(HI, temprature=1)


@pytest.mark.parametrize("messages", [[], "hi"])
def test_messages_have_to_be_a_list(messages: object) -> None:
    with pytest.raises(InputError, match="messages="):
        client_of("http://127.0.0.1:1").stream(messages)  # type: ignore[arg-type]


def test_knobs_arrive_as_json_and_the_accept_header_is_exact() -> None:
    body = head(X_Request_Id="run-1") + b"".join(openai_frames())
    knobs = {"logit_bias": ((5, -1.0),), "stop": ("a", "b"), "seed": None}
    with OddServer(body) as odd, client_of(odd.url) as client:
        list(client.stream(HI, **knobs))
    top, _, sent = odd.requests[0].partition(b"\r\n\r\n")
    assert b"\r\naccept: text/event-stream\r\n" in top.lower()
    data = json.loads(sent)
    assert data["logit_bias"] == {"5": -1.0}
    assert data["stop"] == ["a", "b"]
    assert "seed" not in data
    assert "🍓".encode() in sent


def test_a_bad_value_is_refused_by_the_server_naming_the_field(
    server: RunningServer,
) -> None:
    with client_of(server.url) as client, pytest.raises(InputError) as caught:
        client.stream(HI, temperature=9)
    assert caught.value.param == "temperature"


def test_a_full_queue_says_when_to_come_back(server: RunningServer) -> None:
    server.backend.refusals.append(QueueFull("4 wait already", retry_after_s=2.5))  # type: ignore[attr-defined]
    with client_of(server.url) as client, pytest.raises(QueueFull) as caught:
        client.stream(HI)
    assert caught.value.retry_after_s == 2.5
    assert "4 wait already" in str(caught.value)


def test_health_models_and_an_unknown_trace(server: RunningServer) -> None:
    with client_of(server.url) as client:
        assert client.health()["status"] == "ok"
        assert client.models()[0] == "scripted"
        with pytest.raises(TraceError, match="newest"):
            client.trace_of("nobody")


def test_a_stream_can_be_cancelled_from_another_thread(paced: RunningServer) -> None:
    backend: ScriptedBackend = paced.backend  # type: ignore[assignment]
    with client_of(paced.url) as client, client.stream(HI) as stream:
        backend.step(str(stream.id), "one")
        assert [next(stream).kind, next(stream).text] == ["role", "one"]
        threading.Timer(0.05, stream.cancel).start()
        assert [chunk.kind for chunk in stream if chunk.text] == []
        wait_until(lambda: backend.aborted == [stream.id], "the run is aborted")
    assert stream.is_cancelled
    assert not stream.is_complete
    assert stream.error is None


def test_cancelling_wakes_a_reader_of_a_silent_server() -> None:
    answer = head(X_Request_Id="run-1") + openai_frames()[0]
    with OddServer(answer, hold=True) as odd, client_of(odd.url) as client:
        stream = client.stream(HI)
        assert next(stream).kind == "role"
        odd.stop_listening()
        threading.Timer(0.05, stream.cancel).start()
        assert list(stream) == []
    assert stream.error is None


def test_cancelling_a_finished_stream_does_nothing(server: RunningServer) -> None:
    with client_of(server.url) as client, client.stream(HI) as stream:
        list(stream)
        stream.cancel()
    assert not stream.is_cancelled


def test_leaving_the_block_early_frees_the_run(paced: RunningServer) -> None:
    backend: ScriptedBackend = paced.backend  # type: ignore[assignment]
    with client_of(paced.url) as client:
        with client.stream(HI) as stream:
            next(stream)
        wait_until(lambda: backend.aborted == [stream.id], "the run is aborted")


def test_a_truncated_stream_keeps_what_came_and_says_so() -> None:
    body = b"".join(openai_frames())[:400]
    with OddServer(head(X_Request_Id="r") + body) as odd, client_of(odd.url) as client:
        stream = client.stream(HI)
        list(stream)
    assert not stream.is_complete
    assert b"".join([*stream.frames, stream.rest]) == body
    assert stream.usage is None


def test_a_broken_chunked_body_is_no_traceback() -> None:
    start = head(Transfer_Encoding="chunked", X_Request_Id="r")
    piece = openai_frames()[0]
    body = f"{len(piece):x}\r\n".encode() + piece + b"\r\nff\r\nhalf"
    with OddServer(start + body) as odd, client_of(odd.url) as client:
        stream = client.stream(HI)
        assert len(list(stream)) == 1
    assert "connection broke" in str(stream.error)


def test_an_error_inside_the_stream_is_kept() -> None:
    frame = b'data: {"error":{"message":"the engine failed"}}\n\n'
    with OddServer(head(X_Request_Id="r") + frame) as odd, client_of(odd.url) as client:
        stream = client.stream(HI)
        assert [chunk.kind for chunk in stream] == ["error"]
    assert stream.error == "the engine failed"


@pytest.mark.parametrize(
    "answer",
    [head("302 Found", "text/html", Location="/login"), head("200 OK", "text/html")],
)
def test_what_is_no_labkit_server_is_named(answer: bytes) -> None:
    with (
        OddServer(answer + b"<html>") as odd,
        client_of(odd.url) as client,
        pytest.raises(ProtocolError, match="address of a labkit"),
    ):
        client.stream(HI)


def test_a_failing_server_is_named_with_its_own_words() -> None:
    body = b'{"error":{"message":"its log has the details"}}'
    answer = head("500 Internal", "application/json") + body
    with (
        OddServer(answer) as odd,
        client_of(odd.url) as client,
        pytest.raises(ProtocolError, match="500: its log has the details"),
    ):
        client.stream(HI)


def test_a_server_that_hangs_up_before_its_answer_ends_the_stream() -> None:
    with OddServer(b"") as odd, client_of(odd.url) as client:
        stream = client.stream(HI)
        assert list(stream) == []
    assert "connection broke" in str(stream.error)
    with pytest.raises(TraceError, match="no answer came"):
        stream.trace()


def test_no_server_is_one_sentence_with_the_remedy() -> None:
    with OddServer() as gone:
        url = gone.url
    with client_of(url) as client:
        for ask in (client.models, client.health, lambda: client.stream(HI)):
            with pytest.raises(ServerUnavailable, match="python -m server"):
                ask()
        assert client.cancel("run") is False


def test_the_trace_has_both_ends_on_one_clock(server: RunningServer) -> None:
    with client_of(server.url) as client, client.stream(HI) as stream:
        list(stream)
        trace = stream.trace()
    names = [span.name for span in trace.spans]
    for name in ("compose", "connect", "request", "wait", "parse", "render", "read"):
        assert name in names
    handled = trace.named("parse")
    assert trace.named("request").start_s <= handled.start_s + 1e-6
    assert handled.start_s <= trace.marks_named("first_byte")[0].time_s
    assert trace.request == stream.id
    assert trace.meta["server_offset_error_s"] >= 0  # type: ignore[operator]
    assert trace.layer_s(Layer.CLIENT) > 0


@pytest.mark.parametrize(
    ("text", "knobs"),
    [("\ud83c", {}), ("hi", {"temperature": float("nan")}), ("hi", {"seed": {1}})],
)
def test_what_json_cannot_carry_is_refused_before_sending(
    text: str, knobs: dict[str, object]
) -> None:
    messages = [{"role": "user", "content": text}]
    with pytest.raises(InputError, match="cannot be written as JSON"):
        client_of("http://127.0.0.1:1").stream(messages, **knobs)


def test_the_client_reads_every_vector_of_its_dialect() -> None:
    cases = [case for case in CASES if case.dialect == "openai"]
    answers = [head(X_Request_Id="run-1") + case.data for case in cases]
    with OddServer(*answers) as odd, client_of(odd.url) as client:
        for case in cases:
            with client.stream(HI) as stream:
                assert plain(stream) == case.chunks, case.name
            assert (stream.text, stream.usage) == (case.text, case.usage), case.name


@pytest.mark.parametrize(
    "data", [b"{}", b'{"data":5}', b'{"data":[]}', b'{"data":[null,{"id":7}]}']
)
def test_a_server_that_lists_no_model_is_told_as_one(data: bytes) -> None:
    answer = head(kind="application/json") + data
    with (
        OddServer(answer) as odd,
        client_of(odd.url) as client,
        pytest.raises(ServerUnavailable, match="has no model"),
    ):
        client.models()


@pytest.mark.parametrize("data", [b"", b"[1]", b'"x"', b"\xff", b"[" * 50_000])
def test_an_answer_that_is_no_object_is_named(data: bytes) -> None:
    answer = head(kind="application/json") + data
    with (
        OddServer(answer) as odd,
        client_of(odd.url) as client,
        pytest.raises(ProtocolError, match="without a JSON object"),
    ):
        client.health()
