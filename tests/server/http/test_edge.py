"""Whom the server answers: not other sites' pages, not names that were pointed here."""

from __future__ import annotations

import asyncio
import json

import pytest
from pydantic import SecretStr

from labkit.clock import SystemClock
from labkit.dialects.events import ApiError, Problem
from labkit.errors import WeightsError
from server.http.body import Receive
from server.http.edge import (
    Edge,
    Message,
    Scope,
    Send,
    foreign_origin,
    is_known_host,
)
from server.settings import Settings
from tests.server.conftest import Start
from tests.support.running import CHAT

URL = "/v1/chat/completions"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "127.0.0.1:8010"},
        {"origin": "http://localhost:8888", "host": "localhost:8888"},
        {
            "origin": "https://Hub.org",
            "host": "10.0.0.1",
            "x-forwarded-host": "hub.org",
        },
        {"origin": "https://friend.org", "sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-origin", "host": "x"},
    ],
)
def test_our_own_pages_allowed_ones_and_programs_pass(headers: dict[str, str]) -> None:
    assert foreign_origin(headers, ("https://friend.org",)) is None


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"origin": "https://evil.org", "host": "localhost"}, "https://evil.org"),
        ({"origin": "null", "host": "localhost"}, "null"),
        ({"sec-fetch-site": "cross-site"}, "another site"),
        ({"origin": "http://localhost:1", "host": "localhost:2"}, "http://localhost:1"),
        ({"origin": "http://[", "host": "localhost"}, "http://["),
    ],
)
def test_other_sites_are_named(headers: dict[str, str], named: str) -> None:
    assert foreign_origin(headers, ()) == named


def test_a_post_from_another_site_is_403_in_the_error_shape(scripted: Start) -> None:
    server, backend = scripted("a")
    reply = server.post(URL, CHAT, Origin="https://evil.org")
    assert (reply.status, reply.json["error"]["code"]) == (403, "origin_refused")
    assert server.get("/health", Origin="https://evil.org").status == 200
    assert backend.params == {}


def test_a_page_of_the_same_host_may_post(scripted: Start) -> None:
    server, _ = scripted("a")
    assert server.post(URL, CHAT, Origin=server.url).status == 200


def test_an_allowed_origin_may_post_and_read(scripted: Start) -> None:
    server, _ = scripted("a", allowed_origins=("https://friend.org",))
    reply = server.post(URL, CHAT, Origin="https://friend.org")
    assert reply.status == 200
    assert reply.headers["access-control-allow-origin"] == "https://friend.org"


def test_every_answer_names_its_request(scripted: Start) -> None:
    server, _ = scripted("a")
    ids = {server.get("/health").headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST.:8010",
        "127.0.0.1:8010",
        "127.9.9.9",
        "[::1]:8010",
        "lab.example.org:80",
        "[fe80::7]",
    ],
)
def test_loopback_and_named_hosts_are_known(host: str) -> None:
    assert is_known_host(host, {"localhost", "lab.example.org", "fe80::7"})


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example:8010",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example@localhost",
        "localhost:8010:1",
        "localhost/",
        "10.0.0.1",
        "0.0.0.0:8010",
        "[::2]",
        "[::1",
        "2130706433",
    ],
)
def test_every_other_host_is_unknown(host: str) -> None:
    assert not is_known_host(host, {"localhost"})


REBOUND = {
    "Host": "evil.example:8010",
    "Origin": "http://evil.example:8010",
    "Sec_Fetch_Site": "same-origin",
}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "DELETE"])
def test_a_page_whose_name_was_pointed_here_is_421(
    method: str, scripted: Start
) -> None:
    server, backend = scripted("a")
    body = json.dumps(CHAT).encode() if method == "POST" else None
    reply = server.send(method, URL, body, REBOUND)
    assert reply.status == 421
    if method != "HEAD":
        assert reply.json["error"]["code"] == "host_refused"
        assert "LAB_ALLOWED_HOSTS" in reply.json["error"]["message"]
    assert backend.params == {}


def test_a_host_that_is_named_in_the_settings_may_ask(scripted: Start) -> None:
    server, _ = scripted("a", allowed_hosts=("lab.example.org",))
    reply = server.post(
        URL, CHAT, Host="Lab.Example.org:80", Origin="http://lab.example.org:80"
    )
    assert reply.status == 200


def test_the_address_that_is_listened_on_is_a_known_host(scripted: Start) -> None:
    server, _ = scripted("a", host="192.168.7.7")
    assert server.get("/health", Host="192.168.7.7:8010").status == 200
    everywhere, _ = scripted("a", host="0.0.0.0", allowed_hosts=("10.0.0.7",))
    assert everywhere.get("/health", Host="10.0.0.7:8010").status == 200
    assert everywhere.get("/health", Host="10.0.0.8:8010").status == 421


def test_the_launchs_own_proxy_may_bring_any_host(scripted: Start) -> None:
    server, _ = scripted("a", proxy_secret=SecretStr("s3"))
    binder = {"Host": "hub.binder.example", "Origin": "https://hub.binder.example"}
    assert server.post(URL, CHAT, X_Labkit_Proxy="s3", **binder).status == 200
    for wrong in ("", "S3", "s3é"):
        assert server.post(URL, CHAT, X_Labkit_Proxy=wrong, **binder).status == 421


def test_without_a_secret_nothing_is_a_trusted_proxy(scripted: Start) -> None:
    server, _ = scripted("a")
    headers = {"X_Labkit_Proxy": "", "Host": "hub.example"}
    assert server.get("/health", **headers).status == 421


def test_a_forwarded_host_counts_only_from_the_trusted_proxy(scripted: Start) -> None:
    server, _ = scripted("a", proxy_secret=SecretStr("s3"))
    headers = {"Origin": "https://hub.example", "X_Forwarded_Host": "hub.example"}
    assert server.post(URL, CHAT, **headers).status == 403
    assert server.post(URL, CHAT, X_Labkit_Proxy="s3", **headers).status == 200


def test_a_page_of_another_site_is_refused_through_the_proxy_too(
    scripted: Start,
) -> None:
    server, _ = scripted("a", proxy_secret=SecretStr("s3"))
    headers = {"X_Labkit_Proxy": "s3", "Host": "hub.example"}
    reply = server.post(URL, CHAT, Origin="https://evil.org", **headers)
    assert reply.status == 403


def test_more_requests_than_the_limit_are_503_and_may_come_back(
    scripted: Start,
) -> None:
    server, backend = scripted(limit_concurrency=1)
    body = json.dumps({**CHAT, "stream": True}).encode()
    with server.connect() as link:
        link.sendall(server.head(body) + body)
        assert link.recv(20).startswith(b"HTTP/1.1 200 ")
        reply = server.chat()
        assert (reply.status, reply.json["error"]["code"]) == (503, "server_overloaded")
        assert reply.headers["retry-after"] == "1"
        assert server.get("/v1/models").status == 503
        assert server.get("/health").status == 200  # a full server is not a dead one
        (run,) = backend.live
        assert server.post(f"/v1/runs/{run}/cancel").status == 200
        while link.recv(65536):
            if backend.live == {} and server.get("/v1/models").status == 200:
                break
    assert server.get("/v1/models").status == 200


def test_a_failure_nobody_foresaw_is_named_in_answer_header_and_log(
    scripted: Start, caplog: pytest.LogCaptureFixture
) -> None:
    server, backend = scripted("a")
    for stream in (False, True):
        backend.refusals = [RuntimeError("secret")]
        reply = server.chat(stream=stream)
        assert (reply.status, reply.json["error"]["code"]) == (500, "internal_error")
        name = reply.headers["x-request-id"]
        assert name in reply.json["error"]["message"]
        assert b"secret" not in reply.body
        (entry,) = [r for r in caplog.records if name in r.getMessage()]
        assert entry.exc_info is not None


def test_an_error_of_ours_that_is_no_refusal_is_in_the_log_too(
    scripted: Start, caplog: pytest.LogCaptureFixture
) -> None:
    server, backend = scripted("a")
    backend.refusals = [WeightsError("the template is broken")]
    reply = server.chat()
    assert (reply.status, reply.json["error"]["code"]) == (500, "internal_error")
    assert "the template is broken" in caplog.text
    assert reply.headers["x-request-id"] in caplog.text


def test_a_failure_that_came_with_its_status_is_in_the_log_too(
    scripted: Start, caplog: pytest.LogCaptureFixture
) -> None:
    server, backend = scripted("a")
    backend.refusals = [ApiError(Problem(500, "the engine failed on a step"))]
    reply = server.chat()
    assert reply.status == 500
    said = f"request {reply.headers['x-request-id']}: the engine failed on a step"
    assert said in caplog.messages


def test_an_allowed_page_can_read_what_went_wrong(scripted: Start) -> None:
    server, backend = scripted("a", allowed_origins=("https://friend.org",))
    backend.refusals = [RuntimeError("secret")]
    reply = server.post(URL, CHAT, Origin="https://friend.org")
    assert reply.status == 500
    assert reply.headers["access-control-allow-origin"] == "https://friend.org"


def test_half_an_answer_is_cut_when_the_server_fails() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        raise RuntimeError("in the middle")

    sent: list[str] = []
    cut: list[bool] = []

    async def send(message: Message) -> None:
        sent.append(message["type"])

    async def receive() -> dict[str, object]:
        raise AssertionError("nobody reads")

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "headers": [],
        "state": {"hang_up": lambda: cut.append(True)},
    }
    asyncio.run(Edge(app, Settings(), SystemClock())(scope, receive, send))
    assert sent == ["http.response.start"]
    assert cut == [True]
