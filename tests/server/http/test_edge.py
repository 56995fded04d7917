"""Pages of other sites cannot use a reader's server."""

from __future__ import annotations

import pytest

from server.http.edge import foreign_origin
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
