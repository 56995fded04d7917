"""Bodies are bounded while they are read and strict when they are parsed."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.dialects.events import ApiError
from server.errors import ClientGone
from server.http.body import (
    Receive,
    check_content_type,
    check_structure,
    parse_object,
    read_body,
    read_object,
)
from server.settings import Settings

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
LIMITS = Settings(max_body_bytes=10, body_timeout_s=0.05)


def depth_of(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


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
        (b"", "EOF while parsing"),
        (b"[]", "must be an object"),
        (b"{} x", "trailing characters"),
        (b'{"a": NaN}', "expected value at line 1 column 7"),
        (b'{"a": -Infinity}', "invalid number at line 1 column 8"),
        (b'{"a": 1, "a": 2}', 'key "a" is given twice'),
        (b'{"a": "\\ud83d"}', "half of a surrogate pair"),
        (b'{"a": "\xff"}', "not UTF-8 at byte 7"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b"[" * 5000, "nested deeper than 9"),
        (b'{"a":' * 10 + b"1" + b"}" * 10, "nested deeper than 9"),
        (b'{"a": ' + b"1" * 5000 + b"}", "out of range"),
    ],
)
def test_what_is_no_strict_json_is_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(ApiError, match=reason) as caught:
        parse_object(raw, 9)
    assert caught.value.problem.code == "invalid_json"


def test_brackets_inside_strings_are_no_depth() -> None:
    text = b'{"a": "' + b"[" * 50 + b'\\"[["}'
    assert parse_object(text, 2)["a"].endswith('"[[')


@pytest.mark.parametrize(
    "item",
    [b"[]", b'""', b"0", b"{}", b'{"a":1}', b"[[1]]", b'"a\\\\"', b'"\\""'],
    ids=str,
)
def test_a_body_of_many_values_is_refused_before_it_is_parsed(item: bytes) -> None:
    raw = b'{"a":[' + b",".join([item] * 100_000) + b"]}"
    with pytest.raises(ApiError, match="more than 10000 values"):
        parse_object(raw, 64)
    few = b'{"a":[' + b",".join([item] * 2000) + b"]}"
    assert len(parse_object(few, 64)["a"]) == 2000


def test_a_long_text_is_one_value_whatever_is_in_it() -> None:
    text = 'He said: "[a], {b}", \\ and so on. é\n' * 20_000
    raw = json.dumps({"text": text}).encode()
    assert parse_object(raw, 3) == {"text": text}


@given(json_values)
def test_any_object_is_read_as_the_standard_library_reads_it(value: object) -> None:
    raw = json.dumps({"a": value}).encode()
    assert parse_object(raw, 64) == json.loads(raw)


@given(json_values)
def test_the_structure_is_counted_outside_strings_only(value: object) -> None:
    """The same value with every string emptied has the same structure."""
    raw = json.dumps({"a": value}, ensure_ascii=False).encode()
    depth = depth_of({"a": value})
    check_structure(raw, depth)
    with pytest.raises(ValueError, match="nested deeper"):
        check_structure(raw, depth - 1)


def test_a_large_body_is_read_while_the_event_loop_goes_on() -> None:
    """Reading waits for the loop: on the loop's own thread neither would go on."""
    has_ticked = threading.Event()

    def translate(data: dict[str, Any]) -> bool:
        return has_ticked.wait(10)

    async def read_beside_a_heartbeat() -> bool:
        raw = b'{"a":"' + b"x" * 100_000 + b'"}'
        reading = asyncio.create_task(read_object(raw, 9, translate))
        for _ in range(3):
            await asyncio.sleep(0)
        has_ticked.set()
        return await reading

    assert asyncio.run(read_beside_a_heartbeat())


def test_a_refusal_of_a_large_body_is_the_same() -> None:
    raw = b'{"a":"' + b"x" * 100_000
    with pytest.raises(ApiError, match="EOF while parsing"):
        asyncio.run(read_object(raw, 9, dict))
