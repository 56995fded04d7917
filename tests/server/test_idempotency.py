"""One key, one generation: later callers get the same answer from its start."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from labkit.clock import FakeClock, SystemClock
from labkit.errors import QueueFull
from server.settings import Settings
from tests.server.conftest import Start
from tests.support.running import CHAT, Reply, RunningServer, wait_until
from tests.support.scripted_backend import ScriptedBackend

CHATS = "/v1/chat/completions"


def ask(server: RunningServer, key: str = "one", **fields: object) -> Reply:
    headers = {"Idempotency-Key": key}
    return server.post(CHATS, {**CHAT, **fields}, **headers)


@pytest.mark.parametrize("is_stream", [True, False])
def test_the_same_request_again_gets_the_same_bytes_and_no_second_run(
    is_stream: bool, scripted: Start
) -> None:
    server, backend = scripted("a", "b")
    first, second = (ask(server, stream=is_stream) for _ in range(2))
    assert first.status == second.status == 200
    assert first.body == second.body
    assert len(backend.requests) == 1
    assert second.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert first.headers["x-request-id"] == second.headers["x-request-id"]
    assert server.routes.outcomes.by_outcome()["finished"] == 1


def test_a_second_caller_joins_while_the_answer_is_being_made(scripted: Start) -> None:
    server, backend = scripted()
    with ThreadPoolExecutor() as pool:
        asked = [pool.submit(ask, server, stream=True) for _ in range(3)]
        wait_until(lambda: bool(backend.live), "the request is there")
        (run,) = backend.live
        backend.step(run, "a")
        asked.append(pool.submit(ask, server, stream=True))
        backend.step(run, "b")
        backend.abort(run)
        bodies = {reply.result().body for reply in asked}
    assert len(bodies) == len(backend.requests) == 1


def test_an_answer_goes_on_without_its_first_caller(scripted: Start) -> None:
    server, backend = scripted()
    body = json.dumps({**CHAT, "stream": True}).encode()
    with server.connect() as link:
        link.sendall(server.head(body, "Idempotency-Key: one") + body)
        wait_until(lambda: bool(backend.live), "the request is there")
        (run,) = backend.live
        backend.step(run, "a")
        assert link.recv(100)
    with ThreadPoolExecutor() as pool:
        again = pool.submit(ask, server, stream=True)
        backend.step(run, "b")
        backend.abort(run)
        text = again.result().body.decode()
    assert '"content":"a"' in text
    assert '"content":"b"' in text
    assert len(backend.requests) == 1


def test_another_request_with_the_key_is_409_and_another_key_a_new_run(
    scripted: Start,
) -> None:
    server, backend = scripted("a")
    ask(server)
    other = ask(server, max_tokens=3)
    assert (other.status, other.json["error"]["code"]) == (
        409,
        "idempotency_key_reused",
    )
    assert ask(server, "two", max_tokens=3).status == 200
    assert len(backend.requests) == 2


def test_a_refused_request_may_be_sent_again_with_its_key(scripted: Start) -> None:
    server, backend = scripted("a")
    backend.refusals = [QueueFull("full", retry_after_s=0.05)]
    assert [ask(server).status for _ in range(3)] == [429, 200, 200]
    assert len(backend.requests) == 1


def test_a_failed_answer_is_made_anew(scripted: Start) -> None:
    server, backend = scripted()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(ask, server, stream=True)
        wait_until(lambda: bool(backend.live), "the request is there")
        (run,) = backend.live
        backend.break_off(run, RuntimeError("it broke"))
        assert b"internal_error" in first.result().body
    backend.script = ["a"]
    assert b'"content":"a"' in ask(server, stream=True).body
    assert len(backend.requests) == 2


@pytest.mark.parametrize("key", ["", "with a space", "x" * 256])
def test_a_key_that_is_none_is_400(key: str, scripted: Start) -> None:
    server, _ = scripted("a")
    reply = ask(server, key)
    assert (reply.status, reply.json["error"]["code"]) == (
        400,
        "invalid_idempotency_key",
    )


def test_answers_are_kept_for_a_time_and_in_a_number() -> None:
    clock = FakeClock()
    backend = ScriptedBackend(SystemClock(), ("a",))
    settings = Settings(model_aliases=("m",), idempotency_s=60, max_idempotent=2)
    with RunningServer(settings, backend, clock) as server:
        for key in ("one", "two", "three", "three"):
            ask(server, key)
        assert len(server.routes._shared) == 2
        assert len(backend.requests) == 3
        clock.advance(60)
        ask(server, "three")
        assert len(backend.requests) == 4
