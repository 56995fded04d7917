"""HTTP as strangers' clients use it: HEAD, a slash too many, compressed bodies."""

from __future__ import annotations

import gzip
import json

import pytest

from tests.server.conftest import Start
from tests.support.running import CHAT

URL = "/v1/chat/completions"


@pytest.mark.parametrize("path", ["/health", "/v1/models", "/v1/models/m", "/none"])
def test_a_head_is_answered_as_its_get_without_the_body(
    path: str, scripted: Start
) -> None:
    server, _ = scripted("a")
    whole, head = server.get(path), server.send("HEAD", path, None, {})
    assert head.status == whole.status
    assert head.headers["content-length"] == str(len(whole.body))
    assert head.body == b""


def test_what_offers_get_says_that_it_offers_head(scripted: Start) -> None:
    server, _ = scripted("a")
    assert server.post("/health").headers["allow"] == "GET, HEAD"
    assert server.send("HEAD", URL, None, {}).status == 405
    assert server.get(URL).headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", URL + "/"), ("GET", "/health/"), ("GET", "/v1/models/")],
)
def test_a_slash_too_many_is_404_and_no_redirect(
    method: str, path: str, scripted: Start
) -> None:
    server, _ = scripted("a")
    body = json.dumps(CHAT).encode() if method == "POST" else None
    reply = server.send(method, path, body, {})
    assert reply.status == 404
    assert set(reply.json["error"]) == {"message", "type", "param", "code"}
    assert "location" not in reply.headers


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "gzip, br", "nonsense"])
def test_a_compressed_body_is_415_and_named(encoding: str, scripted: Start) -> None:
    server, _ = scripted("a")
    body = gzip.compress(json.dumps(CHAT).encode())
    reply = server.send("POST", URL, body, {"Content_Encoding": encoding})
    error = reply.json["error"]
    assert (reply.status, error["code"]) == (415, "unsupported_content_encoding")
    assert repr(encoding) in error["message"]


def test_a_body_that_is_sent_as_it_is_may_say_so(scripted: Start) -> None:
    server, _ = scripted("a")
    assert server.post(URL, CHAT, Content_Encoding="identity").status == 200
