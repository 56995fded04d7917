"""Keys to tenants: who is let in, what is told to others, and that no key leaks."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from labkit.clock import SystemClock
from labkit.errors import ConfigError, InputError
from labkit.net.announced import announced_key, key_path
from labkit.net.client import LabClient
from server.app import create_app
from server.auth import Keyring, hash_of, new_key, with_own_key
from server.settings import Settings
from tests.support.running import CHAT, RunningServer, wait_until
from tests.support.scripted_backend import ScriptedBackend

ANN, BOB = "lab-key-of-ann-in-tests", "lab-key-of-bob-in-tests"
CHATS = "/v1/chat/completions"


def keys_file(folder: Path) -> str:
    rows = [
        {"sha256": hash_of(key), "tenant": tenant, "tier": "standard"}
        for key, tenant in ((ANN, "ann"), (BOB, "bob"))
    ]
    path = folder / "keys.json"
    path.write_text(json.dumps({"keys": rows}))
    return str(path)


@contextmanager
def guarded(
    script: tuple[str, ...] | None = ("a",), **settings: object
) -> Iterator[tuple[RunningServer, ScriptedBackend]]:
    backend = ScriptedBackend(SystemClock(), script)
    given = Settings(**{"model_aliases": ("m",), **settings})
    with RunningServer(given, backend) as server:
        yield server, backend


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "missing_api_key"),
        ({"Authorization": "Bearer "}, "missing_api_key"),
        ({"Authorization": f"Basic {ANN}"}, "missing_api_key"),
        ({"x-api-key": ""}, "missing_api_key"),
        ({"Authorization": "Bearer wrong"}, "invalid_api_key"),
        ({"Authorization": f"Bearer {ANN}x"}, "invalid_api_key"),
        ({"x-api-key": "wrong", "Authorization": f"Bearer {ANN}"}, "invalid_api_key"),
        ({"x-api-key": "k\u00e9y"}, "invalid_api_key"),
    ],
)
def test_without_a_known_key_every_endpoint_is_401(
    headers: dict[str, str], code: str
) -> None:
    with guarded(api_key=ANN) as (server, _):
        replies = [
            server.post(CHATS, CHAT, **headers),
            server.get("/v1/models", **headers),
            server.get("/v1/traces/x", **headers),
            server.post("/v1/runs/x/cancel", **headers),
            server.get("/no/such/place", **headers),
        ]
    for reply in replies:
        error = reply.json["error"]
        assert (reply.status, error["code"]) == (401, code)
        assert error.keys() == {"message", "type", "param", "code"}
        assert reply.headers["www-authenticate"] == 'Bearer realm="labkit"'
        assert ANN.encode() not in reply.body


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {ANN}"},
        {"Authorization": f"bearer  {ANN}"},
        {"x-api-key": ANN},
        {"x-api-key": ANN, "Authorization": "Bearer of something else"},
    ],
)
def test_both_headers_carry_a_key_and_x_api_key_wins(headers: dict[str, str]) -> None:
    with guarded(api_key=ANN) as (server, _):
        assert server.post(CHATS, CHAT, **headers).status == 200


def test_with_auth_off_nobody_needs_a_key() -> None:
    with guarded(auth="off", api_key=ANN) as (server, _):
        assert server.chat().status == 200


def test_another_tenants_runs_and_traces_are_404_and_its_cache_is_apart(
    tmp_path: Path,
) -> None:
    with guarded(None, keys_file=keys_file(tmp_path)) as (server, backend):
        client = LabClient(server.url, SystemClock(), model="m", key=ANN)
        stream = client.stream([{"role": "user", "content": "hi"}])
        (run,) = backend.live
        for path in (f"/v1/runs/{run}/cancel", f"/v1/runs/{run}/lease"):
            reply = server.post(path, **bearer(BOB))
            assert (reply.status, reply.json["error"]["code"]) == (404, "run_not_found")
        trace = f"/v1/traces/{run}"
        assert server.get(trace, **bearer(BOB)).status == 404
        assert server.get(trace, **bearer(ANN)).status == 200
        assert backend.requests[run].salt == "ann"
        assert server.post(f"/v1/runs/{run}/cancel", **bearer(ANN)).status == 200
        wait_until(lambda: not backend.live, "the run has ended")
        stream.close()
        assert server.post(f"/v1/runs/{run}/cancel", **bearer(BOB)).status == 404


def test_a_shared_server_tells_no_counts_and_a_private_one_tells_its_owner(
    tmp_path: Path,
) -> None:
    with guarded(keys_file=keys_file(tmp_path)) as (server, _):
        assert server.get("/health", **bearer(ANN)).json["running"] is None
    with guarded(api_key=ANN) as (server, _):
        stranger, owner = server.get("/health"), server.get("/health", **bearer(ANN))
        assert (stranger.status, stranger.json["status"]) == (200, "ok")
        assert stranger.json["labkit_free_blocks"] is stranger.json["ended"] is None
        assert owner.json["running"] == 0


def test_a_client_of_the_same_user_finds_the_key_by_itself() -> None:
    with guarded(("a", "b"), api_key=new_key()) as (server, _):
        file = key_path(server.url)
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700
        with LabClient(server.url, SystemClock()) as client:
            with client.stream([{"role": "user", "content": "hi"}]) as stream:
                assert "".join(chunk.text for chunk in stream) == "ab"
            assert client.trace_of(str(stream.id)).request == stream.id
            assert client.health()["running"] == 0
    assert announced_key(server.url) is None
    assert not file.exists()


def test_a_client_with_a_wrong_key_is_told_so() -> None:
    with (
        guarded(api_key=ANN) as (server, _),
        LabClient(server.url, SystemClock(), key=BOB) as client,
        pytest.raises(InputError, match="not one that this server knows"),
    ):
        client.models()


def test_what_a_trusted_proxy_lets_in_needs_no_key() -> None:
    with guarded(api_key=ANN, proxy_secret="launch") as (server, _):
        passed = {"X-Labkit-Proxy": "launch", "Authorization": "token of-jupyter"}
        assert server.post(CHATS, CHAT, **passed).status == 200
        forged = {"X-Labkit-Proxy": "other"}
        assert server.post(CHATS, CHAT, **forged).status == 401


def test_no_key_is_in_logs_traces_settings_or_reprs(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    key = new_key()
    with guarded(api_key=key) as (server, backend):
        client = LabClient(server.url, SystemClock(), model="m", key=key)
        with client.stream([{"role": "user", "content": "hi"}]) as stream:
            list(stream)
        backend.refusals = [RuntimeError("it broke")]
        failed = server.post(CHATS, CHAT, **bearer(key))
        trace = server.get(f"/v1/traces/{stream.id}", **bearer(key))
        shown = [repr(client), repr(server.settings), repr(Keyring.from_settings)]
        ring = Keyring.from_settings(server.settings)
        shown += [repr(ring), repr(ring.holder(key)), repr(vars(ring))]
    told = capfd.readouterr()
    shown += [caplog.text, told.out, told.err, trace.body.decode(), str(failed.body)]
    assert "it broke" in caplog.text
    assert trace.status == 200
    assert not [text for text in shown if key in text]


def test_a_key_of_ones_own_is_made_on_loopback_only() -> None:
    made = [with_own_key(Settings()).api_key.get_secret_value() for _ in range(2)]
    assert made[0] != made[1]
    assert all(re.fullmatch(r"lab-[\w-]{43}", key) for key in made)
    assert with_own_key(Settings(auth="off")).api_key.get_secret_value() == ""
    assert with_own_key(Settings(api_key=ANN)).api_key.get_secret_value() == ANN
    assert with_own_key(Settings(keys_file="x")).api_key.get_secret_value() == ""
    with pytest.raises(ConfigError, match="lets other machines in and no key is set"):
        with_own_key(Settings(host="0.0.0.0"))


@pytest.mark.parametrize("key", ["short", "with spaces in the middle", "k\u00e9y" * 9])
def test_a_key_that_can_be_guessed_or_not_be_sent_is_refused_unseen(key: str) -> None:
    with pytest.raises(ConfigError, match="LAB_API_KEY has") as caught:
        Keyring.from_settings(Settings(api_key=key))
    assert key not in str(caught.value)


def test_an_app_without_keys_is_not_made_unless_that_is_said() -> None:
    backend = ScriptedBackend(SystemClock())
    with pytest.raises(ConfigError, match="no API key is known"):
        create_app(Settings(), backend, SystemClock())


ROW = {"sha256": hash_of(ANN), "tenant": "ann"}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("", "has no keys"),
        ([], "has no keys"),
        ({"keys": []}, "has no keys"),
        ({"keys": [ROW, {**ROW, "sha256": ANN}]}, "key 2 is not of the form"),
        ({"keys": [{**ROW, "tenant": ""}]}, "key 1 is not of the form"),
        ({"keys": [{**ROW, "tenant": "a b"}]}, "key 1 is not of the form"),
        ({"keys": [{**ROW, "teir": "x"}]}, "key 1 is not of the form"),
        ({"keys": [ROW, ROW]}, "key 2 is there twice"),
        ({"keys": ["text"]}, "key 1 is not of the form"),
    ],
)
def test_a_keys_file_that_cannot_work_is_one_sentence(
    data: object, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ConfigError, match=said) as caught:
        Keyring.from_settings(Settings(keys_file=str(path)))
    assert ANN not in str(caught.value)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda path: None, "No such file"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "no UTF-8 text"),
    ],
)
def test_a_keys_file_that_cannot_be_read_says_why(
    write: Callable[[Path], object], said: str, tmp_path: Path
) -> None:
    write(tmp_path / "keys.json")
    with pytest.raises(ConfigError, match=said):
        Keyring.from_settings(Settings(keys_file=str(tmp_path / "keys.json")))


def test_a_keys_file_gives_tenants_and_tiers(tmp_path: Path) -> None:
    ring = Keyring.from_settings(Settings(keys_file=keys_file(tmp_path)))
    found = ring.holder(ANN)
    assert found is not None
    assert (found.tenant, found.tier) == ("ann", "standard")
    assert found.key_id == hash_of(ANN)[:8]
    assert ring.holder("somebody else's key") is None
    assert ring.tenants() == {"ann", "bob"}


def test_two_tenants_may_use_one_idempotency_key(tmp_path: Path) -> None:
    with guarded(keys_file=keys_file(tmp_path)) as (server, backend):
        key = {"Idempotency-Key": "one"}
        replies = [
            server.post(CHATS, CHAT, **key, **bearer(who)) for who in (ANN, BOB, ANN)
        ]
    assert [reply.status for reply in replies] == [200, 200, 200]
    assert len(backend.requests) == 2
    assert replies[0].body == replies[2].body != replies[1].body
