"""Runs that end otherwise than planned, over real sockets: nothing stays behind."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

import pytest

from labkit.text.sse import SSEParser
from tests.server.conftest import Start
from tests.support.running import CHAT, RunningServer, read_all, wait_until

LONG = {"max_tokens": 900, "ignore_eos": True}


def open_stream(server: RunningServer, *headers: str, **fields: Any) -> socket.socket:
    body = json.dumps({**CHAT, **LONG, "stream": True, **fields}).encode()
    link = server.connect()
    link.sendall(server.head(body, *headers) + body)
    return link


def run_of(link: socket.socket) -> str:
    """Reads the head, byte by byte, and finds the id of the run in it."""
    seen = b""
    while not seen.endswith(b"\r\n\r\n"):
        byte = link.recv(1)
        assert byte, f"the server closed after {seen!r}"
        seen += byte
    assert seen.startswith(b"HTTP/1.1 200"), seen
    return seen.partition(b"x-request-id: ")[2].split(b"\r\n")[0].decode()


def test_cancelling_ends_a_stream_politely_and_frees_its_blocks(
    tiny_server: RunningServer,
) -> None:
    with open_stream(tiny_server, "Connection: close") as link:
        run = run_of(link)
        reply = tiny_server.post(f"/v1/runs/{run}/cancel")
        assert reply.json == {"id": run, "status": "cancelled"}
        rest = read_all(link)
    assert b'"finish_reason":"abort"' in rest
    assert b"data: [DONE]\n\n" in rest
    wait_until(tiny_server.is_idle, "all blocks are free again")
    trace = tiny_server.get(f"/v1/traces/{run}").json
    assert trace["meta"]["outcome"] == "cancelled"


def test_cancelling_again_is_no_error_but_an_unknown_id_is(scripted: Start) -> None:
    server, _ = scripted("a")
    run = server.chat().json["id"]
    assert server.post(f"/v1/runs/{run}/cancel").json["status"] == "ended"
    unknown = server.post("/v1/runs/nobody/cancel")
    assert (unknown.status, unknown.json["error"]["code"]) == (404, "run_not_found")


def test_a_lease_that_is_not_renewed_ends_the_run(scripted: Start) -> None:
    server, backend = scripted()
    with open_stream(server, "X-Lease-Seconds: 0.2", "Connection: close") as link:
        assert b'"finish_reason":"abort"' in read_all(link)
    assert len(backend.aborted) == 1
    assert server.get("/health").json["ended"]["lease_expired"] == 1


def test_a_renewed_lease_keeps_the_run(scripted: Start) -> None:
    server, backend = scripted()
    with open_stream(server, "X-Lease-Seconds: 0.6") as link:
        run = run_of(link)
        for _ in range(20):
            renewed = server.post(f"/v1/runs/{run}/lease")
            assert renewed.json == {"id": run, "lease_s": 0.6}
            threading.Event().wait(0.05)
        assert run in backend.live


def test_a_run_without_a_lease_cannot_renew_one(scripted: Start) -> None:
    server, _ = scripted()
    with open_stream(server) as link:
        reply = server.post(f"/v1/runs/{run_of(link)}/lease")
    assert (reply.status, reply.json["error"]["code"]) == (409, "no_lease")
    assert server.post("/v1/runs/nobody/lease").status == 404


@pytest.mark.parametrize("asked", ["0", "-1", "nan", "soon", "1e9"])
def test_a_lease_out_of_range_is_refused(asked: str, scripted: Start) -> None:
    server, _ = scripted("a")
    reply = server.post("/v1/chat/completions", CHAT, X_Lease_Seconds=asked)
    assert (reply.status, reply.json["error"]["param"]) == (400, "X-Lease-Seconds")


def test_a_full_queue_answers_429_and_leaves_others_alone(
    tiny_server: RunningServer,
) -> None:
    links = [open_stream(tiny_server) for _ in range(12)]  # four wait, one may run
    heads = [link.recv(2000).lower() for link in links]
    refused = [head for head in heads if head.startswith(b"http/1.1 429")]
    assert refused  # few of them where the first ended before the last came
    assert all(b"retry-after: " in head for head in refused)
    served = [head for head in heads if head.startswith(b"http/1.1 200")]
    assert len(served) >= 4
    assert len(served) + len(refused) == len(links)
    for link in links:
        link.close()
    wait_until(tiny_server.is_idle, "all blocks are free again")


def test_a_silent_prefill_is_bridged_by_comments(scripted: Start) -> None:
    server, backend = scripted(heartbeat_s=0.05)
    with open_stream(server, "Connection: close") as link:
        run = run_of(link)
        for _ in range(10):  # chunks of the prompt send nothing themselves
            backend.chunk(run)
            threading.Event().wait(0.03)
        backend.step(run, "late")
        server.post(f"/v1/runs/{run}/cancel")
        rest = read_all(link)
    assert rest.count(b": ping\n\n") >= 2
    assert rest.index(b": ping") < rest.index(b'"content":"late"')


def test_a_client_that_waits_less_long_hears_from_us_in_time(scripted: Start) -> None:
    server, backend = scripted()  # its own heartbeat is 15 s
    patience = "x-stainless-read-timeout: 0.6"
    with open_stream(server, patience, "Connection: close") as link:
        run = run_of(link)
        link.settimeout(0.6)  # what the client has said that it would do
        seen = b""
        while seen.count(b": ping\n\n") < 2:
            seen += link.recv(65536)
        backend.step(run, "late")
        link.settimeout(20)
        server.post(f"/v1/runs/{run}/cancel")
        assert b'"content":"late"' in seen + read_all(link)


def test_comments_do_not_disturb_a_parser(scripted: Start) -> None:
    server, backend = scripted(heartbeat_s=0.02)
    with open_stream(server, "Connection: close") as link:
        run = run_of(link)
        threading.Event().wait(0.1)
        server.post(f"/v1/runs/{run}/cancel")
        body = read_all(link)
    events = SSEParser().feed(body[body.index(b": ping") :])
    assert events[-1].data.startswith("[DONE]")
    assert backend.aborted == [run]


def test_a_client_that_stops_reading_is_hung_up_on(scripted: Start) -> None:
    server, backend = scripted(write_timeout_s=0.3)
    with open_stream(server) as link:
        run = run_of(link)
        for _ in range(200):  # 200 times 64 KiB: more than any socket holds
            backend.step(run, "x" * 65536)
        wait_until(lambda: run not in backend.live, "the run is aborted")
    assert backend.aborted == [run]
    assert server.get("/health").status == 200


def test_a_stalled_reader_delays_nobody(scripted: Start) -> None:
    server, backend = scripted()
    with open_stream(server) as link:
        run = run_of(link)
        for _ in range(200):
            backend.step(run, "x" * 65536)
        assert server.get("/health").json["running"] == 1
    wait_until(server.is_idle, "the block is free")


def test_a_hundred_clients_that_leave_at_once_leave_nothing(
    tiny_server: RunningServer,
) -> None:
    for _ in range(10):
        links = [open_stream(tiny_server) for _ in range(10)]
        for link in links:
            link.close()
    wait_until(lambda: tiny_server.chat().status == 200, "there is room again")
    wait_until(tiny_server.is_idle, "all blocks are free again")


def test_stopping_the_server_ends_the_streams_it_has(scripted: Start) -> None:
    server, _ = scripted()
    with open_stream(server, "Connection: close") as link:
        run_of(link)
        server.stop()
        rest = read_all(link)
    assert b'"code":"model_unavailable"' in rest
    assert b"data: [DONE]\n\n" in rest
