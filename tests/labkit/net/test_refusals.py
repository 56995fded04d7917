"""A refusal is told as what it is: full, without a model, wrong, or not ours."""

from __future__ import annotations

import json

import pytest

from labkit.errors import InputError, ProtocolError, QueueFull, ServerUnavailable
from labkit.net.refusals import refusal


def body(code: str) -> bytes:
    error = {"message": "a sentence", "code": code, "param": "stop", "type": "x"}
    return json.dumps({"error": error}).encode()


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (429, "server_overloaded", QueueFull),
        (503, "server_overloaded", QueueFull),
        (503, "model_unavailable", ServerUnavailable),
        (503, "model_loading", ServerUnavailable),
        (503, "something_new", ServerUnavailable),
        (421, "host_refused", InputError),
        (400, "invalid_value", InputError),
        (500, "internal_error", ProtocolError),
    ],
)
def test_each_refusal_is_an_error_of_its_own_kind(
    status: int, code: str, kind: type[Exception]
) -> None:
    found = refusal(status, {}, body(code))
    assert type(found) is kind
    assert "a sentence" in str(found)


def test_a_full_server_says_when_to_come_back() -> None:
    found = refusal(503, {"retry-after": "7"}, body("server_overloaded"))
    assert isinstance(found, QueueFull)
    assert found.retry_after_s == 7


@pytest.mark.parametrize("text", [b"", b"<html>", b"[]", b'{"error": "no"}'])
def test_a_page_that_is_no_error_of_ours_is_named(text: bytes) -> None:
    found = refusal(503, {"content-type": "text/html"}, text)
    assert isinstance(found, ProtocolError)
    assert "text/html" in str(found)
