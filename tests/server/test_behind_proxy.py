"""Through jupyter-server-proxy: one Accept header streams, leavers are hidden."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from server.proxy import setup
from tests.support.running import CHAT, wait_until

ROOT = Path(__file__).parents[2]
CONFIG = """
c.ServerProxy.servers = {{"tiny": {{
    "command": [{python!r}, "-P", "-m", "tests.support.tiny_server",
                "--port", "{{port}}"],
    "timeout": 60, "launcher_entry": {{"enabled": False}},
    **{ours!r},
}}}}
c.ServerApp.ip = "127.0.0.1"
c.ServerApp.port = {port}
c.ServerApp.port_retries = 0
c.ServerApp.root_dir = {root!r}
c.ServerApp.allow_root = True
c.ServerApp.allow_remote_access = True
c.ServerApp.base_url = "/user/ann-1/"
c.IdentityProvider.token = {token!r}
"""


class Proxied:
    """The tiny server behind a Jupyter server with a token and a prefix."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.origin = f"http://127.0.0.1:{port}"
        self.token = secrets.token_hex(8)
        config = folder / "config.py"
        facts = {"python": sys.executable, "root": str(folder), "token": self.token}
        told = setup()
        ours = {
            name: told[name] for name in ("environment", "request_headers_override")
        }
        config.write_text(CONFIG.format(port=port, ours=ours, **facts))
        moved = ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "XDG_RUNTIME_DIR")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server", f"--config={config}"],
            env={
                **os.environ,
                **dict.fromkeys(moved, str(folder)),
                "PYTHONPATH": str(ROOT),
                "LAB_MODEL_ALIASES": "m",
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def open(self, path: str, data: Any = None, **headers: str) -> HTTPResponse:
        url = f"{self.origin}/user/ann-1/tiny{path}"
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        given |= {"Authorization": f"token {self.token}"}
        body = None if data is None else json.dumps(data).encode()
        if body is not None:
            given |= {"Content-Type": "application/json"}
        request = urllib.request.Request(url, body, given)
        answer: HTTPResponse = urllib.request.urlopen(request, timeout=60)
        return answer

    def stream(self, **headers: str) -> HTTPResponse:
        asked = {**CHAT, "stream": True, "max_tokens": 900, "ignore_eos": True}
        headers = {"Accept": "text/event-stream", "Origin": self.origin, **headers}
        return self.open("/v1/chat/completions", asked, **headers)

    def health(self) -> dict[str, Any]:
        try:
            with self.open("/health") as answer:
                found: dict[str, Any] = json.load(answer)
        except OSError:  # Jupyter or the server behind it is still starting
            return {"status": "starting"}
        return found

    def is_idle(self) -> bool:
        found = self.health()
        return (
            found["running"] == found["waiting"] == 0
            and found["labkit_free_blocks"] == found["labkit_total_blocks"]
        )


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    made = Proxied(tmp_path_factory.mktemp("jupyter"))
    try:
        wait_until(lambda: made.health()["status"] == "ok", "the model loads", 90)
        yield made
    finally:
        made.process.terminate()
        made.process.wait(20)


def test_frames_pass_one_by_one_and_a_cancel_ends_them(proxied: Proxied) -> None:
    with proxied.stream() as answer:
        run = answer.headers["X-Request-Id"]
        assert b'"role":"assistant"' in answer.readline()
        with proxied.open(f"/v1/runs/{run}/cancel", {}, Origin=proxied.origin) as reply:
            assert json.load(reply)["status"] == "cancelled"
        rest = answer.read()
    assert b'"finish_reason":"abort"' in rest
    wait_until(proxied.is_idle, "all blocks are free again")


def test_a_leaver_that_the_proxy_hides_is_found_by_the_lease(proxied: Proxied) -> None:
    before = proxied.health()["ended"]["lease_expired"]
    with proxied.stream(X_Lease_Seconds="0.3") as answer:
        answer.readline()
    wait_until(proxied.is_idle, "all blocks are free again")
    assert proxied.health()["ended"]["lease_expired"] == before + 1


def test_a_page_of_any_host_that_jupyter_let_in_may_post(proxied: Proxied) -> None:
    """On Binder the browser's Host and Origin are the hub's; the secret vouches."""
    hub = {"Host": "hub.example", "Origin": "http://hub.example"}
    with proxied.open("/v1/chat/completions", CHAT, **hub) as answer:
        assert answer.status == 200
        assert json.load(answer)["choices"]


def test_a_page_of_another_site_may_not_though_it_comes_through_the_proxy(
    proxied: Proxied,
) -> None:
    elsewhere = {"Host": "hub.example", "Origin": "https://evil.example"}
    with pytest.raises(urllib.error.HTTPError) as caught:
        proxied.open("/v1/chat/completions", CHAT, **elsewhere)
    assert caught.value.code == 403
    caught.value.close()
