"""Every request of the published list gets its answer and leaves nothing behind."""

from __future__ import annotations

import base64
import json
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.support.running import CHAT, RunningServer, read_all, wait_until

VECTORS = Path(__file__).parents[1] / "support" / "vectors" / "http_negative_cases.json"
CASES = json.loads(VECTORS.read_text())["cases"]
BODIES = [case for case in CASES if not case.get("raw")]
RAW = {case["name"] for case in CASES if case.get("raw")}

# The list leaves these open; this is what we decided.
ACCEPTED = {
    "surrogate pair in content",
    "temperature=null",
    "max_tokens=null",
    "seed=-1",
    "tools=[]",  # asks for what happens anyway
    'messages=[{"role":"assistant","content":"x"}]',
    "max_tokens above the context, short prompt",  # cut to the room that is left
}
NOT_FOUND = {'model=""', 'model="absent"', 'model="../../etc/passwd"'}


def assert_unharmed(server: RunningServer) -> None:
    wait_until(server.is_idle, "all blocks are free again")
    health = server.get("/health")
    assert health.status == 200
    assert health.json["labkit_free_blocks"] == server.settings.num_blocks
    assert (health.json["running"], health.json["waiting"]) == (0, 0)


def assert_error_shape(body: Any) -> None:
    error = body["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert isinstance(error["message"], str)
    assert len(error["message"]) <= 400
    assert "Traceback" not in error["message"]


def body_of(case: dict[str, Any]) -> bytes:
    if "build" in case:
        assert case["build"] == "'['*100000"
        return b"[" * 100_000
    return base64.b64decode(case["body_b64"])


def wanted(name: str) -> int:
    if name in ACCEPTED:
        return 200
    return 404 if name in NOT_FOUND else 400


@pytest.mark.parametrize("case", BODIES, ids=lambda case: case["name"])
def test_each_body_gets_its_answer(
    case: dict[str, Any], tiny_server: RunningServer
) -> None:
    headers = {"Content_Type": case["content_type"]}
    reply = tiny_server.send("POST", "/v1/chat/completions", body_of(case), headers)
    assert reply.status == wanted(case["name"]), reply.body
    if reply.status != 200:
        assert_error_shape(reply.json)
    assert_unharmed(tiny_server)


def long_chat(**fields: Any) -> bytes:
    return json.dumps(
        {**CHAT, "max_tokens": 900, "ignore_eos": True, **fields}
    ).encode()


def test_the_raw_cases_below_are_all_of_them() -> None:
    assert len(RAW) == 6


def test_content_length_larger_than_sent_then_silence(
    tiny_server: RunningServer,
) -> None:
    with tiny_server.connect() as link:
        link.sendall(tiny_server.head(b"x" * 100) + b'{"model"')
        answer = read_all(link)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert_error_shape(json.loads(answer.split(b"\r\n\r\n", 1)[1]))
    assert_unharmed(tiny_server)


def test_half_a_header_then_silence(tiny_server: RunningServer) -> None:
    with tiny_server.connect() as link:
        link.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-")
        answer = read_all(link)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert_error_shape(json.loads(answer.split(b"\r\n\r\n", 1)[1]))
    assert_unharmed(tiny_server)


def test_a_header_that_drips_is_late_too(tiny_server: RunningServer) -> None:
    with tiny_server.connect() as link:
        link.settimeout(0.05)
        answer = b""
        while not answer:
            link.sendall(b"G")
            try:
                answer = link.recv(100)
            except TimeoutError:
                continue
    assert answer.startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 400 "))
    assert_unharmed(tiny_server)


def test_a_connection_that_says_nothing_is_closed(tiny_server: RunningServer) -> None:
    with tiny_server.connect() as link:
        assert read_all(link) == b""


def test_one_reader_of_single_bytes_delays_nobody(tiny_server: RunningServer) -> None:
    with tiny_server.connect() as slow:
        body = long_chat(stream=True, max_tokens=200)
        slow.sendall(tiny_server.head(body) + body)
        assert slow.recv(1) == b"H"
        assert tiny_server.chat().status == 200
        assert slow.recv(1) == b"T"
    assert_unharmed(tiny_server)


def test_a_reset_in_the_middle_of_a_stream_frees_the_blocks(
    tiny_server: RunningServer,
) -> None:
    before = tiny_server.get("/health").json["ended"]["client_closed"]
    body = long_chat(stream=True)
    link = tiny_server.connect()
    link.sendall(tiny_server.head(body) + body)
    assert b"200" in link.recv(100)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.close()  # sends RST
    assert_unharmed(tiny_server)
    assert tiny_server.get("/health").json["ended"]["client_closed"] == before + 1


def test_a_client_that_gives_up_waiting_for_the_whole_answer_frees_the_blocks(
    tiny_server: RunningServer,
) -> None:
    before = tiny_server.get("/health").json["ended"]["client_closed"]
    body = long_chat()
    with tiny_server.connect() as link:
        link.sendall(tiny_server.head(body) + body)
        wait_until(lambda: not tiny_server.is_idle(), "the run begins")
    assert_unharmed(tiny_server)
    assert tiny_server.get("/health").json["ended"]["client_closed"] == before + 1


def test_head_on_the_stream_route_completes_at_once(tiny_server: RunningServer) -> None:
    reply = tiny_server.send("HEAD", "/v1/chat/completions", None, {})
    assert (reply.status, reply.body) == (405, b"")
    assert reply.headers["allow"] == "POST"
    assert_unharmed(tiny_server)
