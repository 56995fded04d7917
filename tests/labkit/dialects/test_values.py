"""JSON written in ASCII, and read without trust."""

from __future__ import annotations

import json
from typing import Any

import pytest

from labkit.dialects.values import (
    count_of,
    from_json,
    mapping_of,
    text_of,
    to_json,
    to_json_by_item,
)


def test_what_is_written_is_ascii_and_never_nan() -> None:
    assert to_json({"a": "é"}) == '{"a":"\\u00e9"}'
    with pytest.raises(ValueError, match="JSON compliant"):
        to_json({"a": float("nan")})


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "NaN", '{"a":-Infinity}', "[" * 100_000, "1" * 5000]
)
def test_what_is_no_json_object_is_none(text: str) -> None:
    assert from_json(text) is None


def test_an_object_is_read() -> None:
    assert from_json(' {"a": [1]} ') == {"a": [1]}
    assert mapping_of({"a": 1}) == {"a": 1}
    assert mapping_of([1]) == {}


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), ("é🍓", "é🍓"), ("a\ud83c", "a\ufffd"), (5, None), (None, None)],
)
def test_text_can_always_be_written_as_utf_8(value: Any, text: str | None) -> None:
    assert text_of(value) == text
    assert text is None or text.encode()


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (0, 0),
        (7.0, 7),
        (2**53 - 1, 2**53 - 1),
        (2**53, None),
        (-1, None),
        (1.5, None),
        (float("inf"), None),
        (float("nan"), None),
        (True, None),
        ("1", None),
        (None, None),
    ],
)
def test_a_count_is_a_whole_number_from_0(value: Any, count: int | None) -> None:
    assert count_of(value) == count


def test_compact_json_reads_back() -> None:
    assert json.loads(to_json({"a": [1, None, "x"]})) == {"a": [1, None, "x"]}


def test_json_written_in_short_calls_is_the_same_text() -> None:
    data = {"a": 1, "é": [], "list": [{"x": "é"}, [1, None]], "object": {"y": [2]}}
    for depth in range(5):
        assert to_json_by_item(data, depth) == to_json(data)
