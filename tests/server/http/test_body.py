"""Bodies are bounded while they are read and strict when they are parsed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from labkit.dialects.events import ApiError
from server.errors import ClientGone
from server.http.body import Receive, check_content_type, parse_object, read_body
from server.settings import Settings

LIMITS = Settings(max_body_bytes=10, body_timeout_s=0.05)


def receiver(pieces: Iterable[bytes], *, ends: bool = True) -> Receive:
    """Gives `pieces`, then the end of the body, or silence."""
    left = list(pieces)

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.sleep(60)
        body = left.pop(0)
        return {
            "type": "http.request",
            "body": body,
            "more_body": bool(left) or not ends,
        }

    return receive


def read(receive: Receive, declared: str | None = None) -> bytes:
    return asyncio.run(read_body(receive, declared, LIMITS))


def problem(receive: Receive, declared: str | None = None) -> tuple[int, str | None]:
    with pytest.raises(ApiError) as caught:
        read(receive, declared)
    return caught.value.problem.status, caught.value.problem.code


def test_pieces_are_joined() -> None:
    assert read(receiver([b"ab", b"", b"cd"])) == b"abcd"


def test_a_body_of_exactly_the_limit_is_taken() -> None:
    assert read(receiver([b"x" * 10])) == b"x" * 10


@pytest.mark.parametrize("pieces", [[b"x" * 11], [b"x" * 6] * 2, [b"x" * 50] * 9])
def test_one_byte_more_is_413(pieces: list[bytes]) -> None:
    assert problem(receiver(pieces)) == (413, "request_too_large")


@pytest.mark.parametrize("declared", ["81", "9" * 40])
def test_a_length_far_above_the_limit_is_413_unread(declared: str) -> None:
    assert problem(receiver([], ends=False), declared) == (413, "request_too_large")


def test_silence_is_408() -> None:
    assert problem(receiver([b"x"], ends=False), "5") == (408, "request_timeout")


def test_a_client_that_leaves_while_sending_is_gone() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    with pytest.raises(ClientGone):
        read(receive)


@pytest.mark.parametrize(
    "value",
    [
        "application/json",
        "Application/JSON; charset=utf-8",
        'application/json;charset="UTF-8"',
    ],
)
def test_json_in_utf8_is_taken(value: str) -> None:
    check_content_type(value)


@pytest.mark.parametrize(
    "value", ["", "text/plain", "application/json; charset=latin1", "x" * 500]
)
def test_any_other_type_is_refused(value: str) -> None:
    with pytest.raises(ApiError) as caught:
        check_content_type(value)
    assert caught.value.problem.code == "unsupported_content_type"


def test_an_object_is_read() -> None:
    assert parse_object(b'{"a": [1, "\\ud83d\\ude00"]}', 9) == {"a": [1, "😀"]}


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "Expecting value"),
        (b"[]", "must be an object"),
        (b"{} x", "Extra data"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a": -Infinity}', "-Infinity is not a JSON number"),
        (b'{"a": 1, "a": 2}', "given twice"),
        (b'{"a": "\\ud83d"}', "half of a surrogate pair"),
        (b'{"a": "\xff"}', "not UTF-8 at byte 7"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b"[" * 100_000, "nested deeper than 9"),
        (b'{"a":' * 10 + b"1" + b"}" * 10, "nested deeper than 9"),
        (b'{"a": ' + b"1" * 5000 + b"}", "limit"),
    ],
)
def test_what_json_loads_lets_through_is_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(ApiError, match=reason) as caught:
        parse_object(raw, 9)
    assert caught.value.problem.code == "invalid_json"


def test_brackets_inside_strings_are_no_depth() -> None:
    text = b'{"a": "' + b"[" * 50 + b'\\"[["}'
    assert parse_object(text, 2)["a"].endswith('"[[')
