"""Limits on a listening server: headers, refusals, refunds, and 200 clients at once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from labkit.clock import FakeClock
from labkit.errors import ConfigError
from server.auth import hash_of
from server.limits import limiter_of
from server.settings import Settings
from tests.support.running import CHAT, Reply, RunningServer, wait_until
from tests.support.scripted_backend import ScriptedBackend

CHATS = "/v1/chat/completions"


@contextmanager
def limited(
    clock: FakeClock, *script: str, **settings: object
) -> Iterator[tuple[RunningServer, ScriptedBackend]]:
    backend = ScriptedBackend(clock, script or None)
    given = Settings(**{"model_aliases": ("m",), "max_running": 300, **settings})
    with RunningServer(given, backend, clock) as server:
        yield server, backend


def code_of(reply: Reply) -> str:
    return str(reply.json["error"]["code"])


def left(reply: Reply, name: str) -> int:
    return int(reply.headers[f"x-ratelimit-remaining-{name}"])


def test_a_used_up_limit_is_429_with_the_seconds_until_it_is_not() -> None:
    clock = FakeClock()
    with limited(clock, "a", limits="openai", rpm=2) as (server, _):
        fine = [server.chat(), server.chat(stream=True)]
        refused = server.chat()
        clock.advance(29.9)
        early = server.chat()
        clock.advance(0.1)
        late = server.chat()
    assert [reply.status for reply in (*fine, refused, early, late)] == [
        200,
        200,
        429,
        429,
        200,
    ]
    assert [left(reply, "requests") for reply in (*fine, refused)] == [1, 0, 0]
    assert (refused.headers["retry-after"], early.headers["retry-after"]) == ("30", "1")
    assert code_of(refused) == "rate_limit_exceeded"
    assert "2 requests a minute is used up: try again in 30 s" in str(refused.json)


def test_both_vendors_headers_are_on_success_and_refusal() -> None:
    clock = FakeClock()
    with limited(clock, "a", limits="anthropic", rpm=1, itpm=60, otpm=60) as found:
        replies = [found[0].chat(), found[0].chat()]
    assert [reply.status for reply in replies] == [200, 429]
    for reply in replies:
        head = reply.headers
        assert head["x-ratelimit-limit-requests"] == "1"
        assert head["x-ratelimit-reset-requests"] == "1m0s"
        assert head["anthropic-ratelimit-requests-remaining"] == "0"
        assert head["anthropic-ratelimit-requests-reset"] == "2026-01-01T00:01:00Z"
        assert head["anthropic-ratelimit-input-tokens-limit"] == "60"
        assert head["anthropic-ratelimit-output-tokens-limit"] == "60"


def test_a_page_of_an_allowed_origin_may_read_what_is_left() -> None:
    origin = "https://friend.org"
    settings = {"limits": "anthropic", "rpm": 9, "itpm": 99, "otpm": 99}
    with limited(FakeClock(), "a", allowed_origins=(origin,), **settings) as found:
        reply = found[0].post(CHATS, CHAT, Origin=origin)
    told = reply.headers["access-control-expose-headers"].lower().split(", ")
    assert {name for name in reply.headers if "ratelimit" in name} <= set(told)
    assert "x-ratelimit-remaining-input-tokens" in told


def test_without_limits_no_header_speaks_of_them() -> None:
    with limited(FakeClock(), "a") as (server, _):
        assert not [name for name in server.chat().headers if "ratelimit" in name]


def test_a_request_above_the_limit_itself_is_400() -> None:
    with limited(FakeClock(), "a", limits="bedrock", tpm=100) as (server, _):
        reply = server.chat(max_tokens=100)
        assert (reply.status, code_of(reply)) == (400, "above_rate_limit")
        assert reply.headers["x-should-retry"] == "false"
        assert server.chat(max_tokens=99).status == 200


def test_what_was_reserved_and_not_used_comes_back() -> None:
    """The scripted prompt counts 8 tokens, the answer has 2, and 90 were reserved."""
    with limited(FakeClock(), "a", "b", limits="bedrock", tpm=100) as (server, _):
        first, second = server.chat(max_tokens=80), server.chat(max_tokens=80)
    used = first.json["usage"]["total_tokens"]
    assert left(first, "tokens") == 100 - 80 - 1
    assert left(second, "tokens") == 100 - used - 80 - 1


def test_a_client_that_leaves_pays_for_what_was_written() -> None:
    clock = FakeClock()
    with limited(clock, limits="bedrock", tpm=100) as (server, backend):
        body = json.dumps({**CHAT, "max_tokens": 50, "stream": True}).encode()
        with server.connect() as link:
            link.sendall(server.head(body) + body)
            wait_until(lambda: bool(backend.live), "the request is there")
            (run,) = backend.live
            for _ in range(3):
                backend.step(run, "x")
            prompt = len(backend.prompts[0])
            assert link.recv(100)
        wait_until(lambda: not backend.live, "the request has ended")
        backend.script = ["a"]
        reply = server.chat(max_tokens=20)
    assert left(reply, "tokens") == 100 - (prompt + 3) - 20 - 1


def test_output_is_taken_as_it_appears_and_a_debt_refuses_the_next() -> None:
    clock = FakeClock()
    with (
        limited(clock, limits="anthropic", otpm=2) as (server, backend),
        ThreadPoolExecutor() as pool,
    ):
        first = pool.submit(server.chat)
        wait_until(lambda: bool(backend.live), "the request is there")
        (run,) = backend.live
        for _ in range(3):
            backend.step(run, "x")
        meter = backend.requests[run].observers[-1]
        wait_until(
            lambda: vars(meter)["_charged"]["output_tokens"] == 3, "it is metered"
        )
        refused = server.chat()
        backend.abort(run)
        assert first.result().status == 200
    assert (refused.status, refused.headers["retry-after"]) == (429, "30")


def test_200_clients_at_once_overspend_no_token_and_lose_none() -> None:
    """Each counts as 4 tokens of 402: exactly 100 are let in, and 2 tokens are left."""
    clock, line = FakeClock(), threading.Barrier(200)
    with limited(clock, "a", limits="openai", tpm=402, max_waiting=300) as (server, _):

        def ask(_: int) -> Reply:
            line.wait(60)
            return server.chat()

        with ThreadPoolExecutor(200) as pool:
            replies = list(pool.map(ask, range(200)))
        statuses = [reply.status for reply in replies]
        assert (statuses.count(200), statuses.count(429)) == (100, 100)
        assert min(left(reply, "tokens") for reply in replies) == 2
        assert left(server.chat(max_tokens=2), "tokens") == 0


def test_each_tenant_has_limits_of_its_own_as_its_tier_says(tmp_path: Path) -> None:
    keys = {name: f"lab-key-of-{name}-in-tests" for name in ("ann", "bob")}
    rows = [
        {"sha256": hash_of(key), "tenant": name, "tier": f"of-{name}"}
        for name, key in keys.items()
    ]
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": rows}))
    asked = {"limits": "openai", "rpm": 1, "keys_file": str(path)}
    asked |= {"tiers": ("of-bob=2",)}
    with limited(FakeClock(), "a", **asked) as (server, _):
        found = [
            server.post(CHATS, CHAT, x_api_key=keys[name]).status
            for name in ("ann", "ann", "bob", "bob", "bob")
        ]
    assert found == [200, 429, 200, 200, 429]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"limits": "openai"}, "limits nothing yet: set LAB_RPM or LAB_TPM"),
        ({"limits": "openai", "itpm": 5}, "LAB_ITPM is set, but LAB_LIMITS=openai has"),
        ({"limits": "openai", "rpm": 5, "tiers": ("pro",)}, "LAB_TIERS has 'pro'"),
        ({"limits": "openai", "rpm": 5, "tiers": ("pro=0",)}, "a whole number"),
        ({"rpm": 5}, "LAB_RPM is set, but LAB_LIMITS=off has no budget"),
    ],
)
def test_limits_that_would_be_ignored_are_refused(
    settings: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        limiter_of(Settings(**settings), FakeClock())
