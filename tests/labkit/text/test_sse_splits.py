"""The event stream parser under every split, against a reading of the whole body.

`expected` is the algorithm of HTML 9.2.6 written for a body that is there as a whole:
it knows no pieces, so it cannot share a fault of the parser with them.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.text.sse import SSEEvent, SSEParser
from tests.support.splits import cut_at

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "support/vectors/sse_wpt.json").read_text()
)["vectors"]
by_name = pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])

WORDS = (
    *(b"data", b"event", b"id", b"retry", b":", b": ", b" ", b"x", b"7", b"\0"),
    *(b"\n", b"\r", b"\r\n", b"\n\n", b"\xef\xbb\xbf", "é🍓\u2028".encode()),
    *(b"\xf0\x9f", b"\x80", b"\xff", b"data: a\n\n", b"id: 1\n", b"retry: 10\n"),
)
bodies = st.lists(st.sampled_from(WORDS) | st.binary(max_size=3), max_size=40).map(
    b"".join
)


def parsed(chunks: list[bytes]) -> tuple[list[SSEEvent], int | None, str]:
    parser = SSEParser()
    events = [event for chunk in chunks for event in parser.feed(chunk)]
    assert parser.flush() == []
    return events, parser.retry_ms, parser.last_event_id


def expected(body: bytes) -> tuple[list[SSEEvent], int | None, str]:
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    *lines, _ = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    events, block = list[SSEEvent](), dict[str, list[str]]()
    retry_ms, id_buffer, last_id = None, "", ""
    for line in lines:
        name, _, value = line.partition(":")
        if line:
            block.setdefault(name, []).append(value.removeprefix(" "))
            continue
        times = retry_times(block)
        ids = [v for v in block.get("id", []) if "\0" not in v]
        retry_ms = times[-1] if times else retry_ms
        id_buffer = last_id = ids[-1] if ids else id_buffer
        if "data" in block:
            kind = block.get("event", [""])[-1] or "message"
            data = "\n".join(block["data"])
            events.append(SSEEvent(kind, data, last_id, times[-1] if times else None))
        block = {}
    times = retry_times(block)
    return events, times[-1] if times else retry_ms, last_id


def retry_times(block: dict[str, list[str]]) -> list[int]:
    """The times that count; the parser takes more than 15 digits for a mistake."""
    digits = [v for v in block.get("retry", []) if v.isascii() and v.isdigit()]
    return [int(v) for v in digits if int(v) < 10**15]


def cuts_into_three(size: int) -> Iterator[tuple[int, int]]:
    return combinations(range(1, size), 2)


@by_name
def test_a_vector_read_as_a_whole_is_what_was_published(vector: dict[str, Any]) -> None:
    events, retry_ms, last_id = expected(b64decode(vector["body_b64"]))
    want = [(e["type"], e["data"], e["last_event_id"]) for e in vector["events"]]
    assert [(e.event, e.data, e.id) for e in events] == want
    assert retry_ms == vector["reconnection_time_ms"]
    assert last_id == vector["final_last_event_id"]


@by_name
def test_a_vector_is_the_same_under_every_cut_into_three_pieces(
    vector: dict[str, Any],
) -> None:
    body = b64decode(vector["body_b64"])
    want = expected(body)
    assert parsed([b64decode(chunk) for chunk in vector["chunks_b64"]]) == want
    if len(body) < 100:  # the long one is cut at random below
        for cuts in cuts_into_three(len(body)):
            assert parsed(cut_at(body, cuts)) == want


@pytest.mark.parametrize(
    "vector",
    [v for v in VECTORS if len(b64decode(v["body_b64"])) <= 13],
    ids=lambda v: v["name"],
)
def test_a_short_vector_is_the_same_under_every_split_that_there_is(
    vector: dict[str, Any],
) -> None:
    body = b64decode(vector["body_b64"])
    want, places = expected(body), range(1, len(body))
    for mask in range(2 ** len(places)):
        cuts = [place for i, place in enumerate(places) if mask >> i & 1]
        assert parsed(cut_at(body, cuts)) == want


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(VECTORS).map(lambda v: b64decode(v["body_b64"])),
    st.lists(st.integers(0, 4200), max_size=30),
)
def test_a_vector_is_the_same_under_splits_drawn_at_random(
    body: bytes, cuts: list[int]
) -> None:
    inside = [cut % (len(body) + 1) for cut in cuts]
    assert parsed(cut_at(body, inside)) == expected(body)


@settings(max_examples=500, deadline=None)
@given(bodies, st.lists(st.integers(0, 200), max_size=30))
def test_any_bytes_in_any_pieces_are_read_as_the_whole_is(
    body: bytes, cuts: list[int]
) -> None:
    assert parsed(cut_at(body, cuts)) == expected(body)
    assert parsed([body[i : i + 1] for i in range(len(body))]) == expected(body)
