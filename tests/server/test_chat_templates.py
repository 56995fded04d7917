"""A model without a usable chat template is served, and says so to whoever chats."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from labkit.clock import SystemClock
from labkit.engine import Engine
from server.backends import InProcessClient
from server.settings import Settings
from tests.support.running import RunningServer
from tests.support.tiny import tiny_model

SETTINGS = Settings(model_aliases=("m",), num_blocks=16)
FAILS_LATER = "{% if messages[1] %}{{ 1 // 0 }}{% endif %}Hi"
REFUSES = "{% if messages[1] %}{{ raise_exception('one turn') }}{% endif %}Hi"
Serve = Callable[[str | None], RunningServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers of the tiny model with another template."""
    with ExitStack() as stack:

        def start(template: str | None) -> RunningServer:
            model = tiny_model()
            spec = replace(model.tokenizer, chat_template=template)
            model = replace(model, tokenizer=spec)
            backend = InProcessClient(
                lambda: Engine(model, SETTINGS.engine(), SystemClock())
            )
            return stack.enter_context(RunningServer(SETTINGS, backend))

        yield start


def turns(count: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": "hi"}] * count


@pytest.mark.parametrize(
    ("template", "named"),
    [
        (None, "tiny has no chat template: load a chat model"),
        ("{% if %}", "tiny: the model's chat template cannot be used"),
        ("{{ nothing.at.all }}", "cannot be used, as it fails"),
    ],
)
def test_a_chat_without_a_usable_template_is_refused_with_the_reason(
    serve: Serve, template: str | None, named: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        server = serve(template)
    health, reply = server.get("/health"), server.chat()
    assert (health.status, health.json["status"]) == (200, "ok")
    assert named in health.json["chat_template"]
    assert (reply.status, reply.json["error"]["code"]) == (400, "no_chat_template")
    assert named in reply.json["error"]["message"]
    assert named in caplog.text


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_template_that_fails_on_a_request_is_the_servers_fault_and_in_the_log(
    serve: Serve, is_stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(FAILS_LATER)
    assert server.get("/health").json["chat_template"] == "ok"
    assert server.chat(messages=turns(1)).status == 200
    reply = server.chat(messages=turns(2), stream=is_stream)
    error = reply.json["error"]
    assert (reply.status, error["code"]) == (500, "chat_template_failed")
    assert "ZeroDivisionError" in error["message"]
    assert reply.headers["x-should-retry"] == "false"
    assert reply.headers["x-request-id"] in caplog.text
    assert server.is_idle()


def test_what_a_template_refuses_is_the_clients_to_change(serve: Serve) -> None:
    reply = serve(REFUSES).chat(messages=turns(2))
    error = reply.json["error"]
    assert (reply.status, error["param"]) == (400, "messages")
    assert "one turn" in error["message"]


def test_a_generation_block_is_transparent(serve: Serve) -> None:
    source = "{% for m in messages %}{% generation %}{{ m.content }}"
    server = serve(source + "{% endgeneration %}{% endfor %}")
    assert server.get("/health").json["chat_template"] == "ok"
    assert server.chat().status == 200
