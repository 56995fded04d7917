"""The event stream parser against published vectors, and against its own writer."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.errors import InputError
from labkit.text.sse import SSEEvent, SSEParser, comment, encode
from tests.support.splits import every_split

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "support/vectors/sse_wpt.json").read_text()
)["vectors"]
by_name = pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])


def parse(*chunks: bytes) -> list[SSEEvent]:
    parser = SSEParser()
    return [*(e for chunk in chunks for e in parser.feed(chunk)), *parser.flush()]


@by_name
def test_vector_under_every_split(vector: dict[str, Any]) -> None:
    want = [(e["type"], e["data"], e["last_event_id"]) for e in vector["events"]]
    for chunks in every_split(b64decode(vector["body_b64"])):
        parser = SSEParser()
        events = [e for chunk in chunks for e in parser.feed(chunk)]
        assert [(e.event, e.data, e.id) for e in events] == want
        assert parser.retry_ms == vector["reconnection_time_ms"]
        assert parser.last_event_id == vector["final_last_event_id"]


@by_name
def test_events_are_out_as_soon_as_their_last_byte_is_in(
    vector: dict[str, Any],
) -> None:
    parser, body, dispatched = SSEParser(), b64decode(vector["body_b64"]), []
    for i in range(len(body)):
        dispatched += [i + 1 for _ in parser.feed(body[i : i + 1])]
    assert dispatched == vector["dispatch_after_byte"]


def test_blank_line_with_empty_data_dispatches_nothing() -> None:
    assert parse(b"id: 7\n\nevent: x\n\nretry: 5\n\n: c\n\n") == []


def test_retry_accepts_ascii_digits_only() -> None:
    for value in ("+5_0", "5.0", " 5 ", "-1", "٣", ""):
        parser = SSEParser()
        parser.feed(f"retry:{value}\n\n".encode())
        assert parser.retry_ms is None


def test_retry_of_absurd_length_is_ignored_and_leading_zeros_are_not() -> None:
    parser = SSEParser()
    parser.feed(b"retry: " + b"9" * 5000 + b"\n\n")
    assert parser.retry_ms is None
    parser.feed(b"retry: " + b"0" * 5000 + b"3\nretry: 0\nretry: 30\n\n")
    assert parser.retry_ms == 30


def test_an_event_carries_the_retry_of_its_own_block_only() -> None:
    events = parse(b"retry: 5\ndata: a\n\ndata: b\n\n")
    assert [event.retry for event in events] == [5, None]


def test_leading_bom_is_dropped_once() -> None:
    bom = b"\xef\xbb\xbf"
    assert parse(bom + b"data: a\n\n") == [SSEEvent(data="a")]
    assert parse(bom + bom + b"data: a\n\n") == []
    assert parse(b"data: " + bom + b"\n\n") == [SSEEvent(data="\ufeff")]


def test_only_cr_and_lf_end_a_line() -> None:
    data = "a\u2028b\u0085c\x0bd\x0ce"
    assert parse(encode(data)) == [SSEEvent(data=data)]


def test_a_cr_ends_a_line_at_once_and_swallows_the_lf_of_the_next_chunk() -> None:
    parser = SSEParser()
    assert parser.feed(b"data: a\r") == []
    assert parser.feed(b"\n\r") == [SSEEvent(data="a")]
    assert parser.feed(b"\ndata: b\r\n\n") == [SSEEvent(data="b")]


def test_a_chunk_that_ends_inside_a_character_keeps_the_state() -> None:
    assert parse(b"data: a\r", b"\n\xf0", b"\x9f", b": 1\r\n\r\n") == [
        SSEEvent(data="a")
    ]


def test_invalid_utf_8_becomes_replacement_characters() -> None:
    assert parse(b"data: a\xffb\xe2\x82\n\n") == [SSEEvent(data="a\ufffdb\ufffd")]


def test_an_unfinished_block_is_dropped_at_the_end() -> None:
    parser = SSEParser()
    assert parser.feed(b"retry: 9\nid: 3\ndata: lost\n") == []
    assert parser.flush() == []
    assert (parser.last_event_id, parser.retry_ms) == ("", 9)


def test_a_reconnected_parser_begins_with_the_last_event_id() -> None:
    parser = SSEParser(last_event_id="41")
    assert parser.feed(b"data: a\n\n") == [SSEEvent(data="a", id="41")]


def test_a_frame_has_lf_line_ends_one_line_a_field_and_a_blank_line() -> None:
    frame = encode("a\nb", event="token", id="7", retry=3000)
    assert frame == b"event: token\nid: 7\nretry: 3000\ndata: a\ndata: b\n\n"
    assert encode("") == b"data: \n\n"
    assert comment("ping\npong") == b": ping\n: pong\n\n"


def test_comments_are_ignored_between_and_inside_events() -> None:
    assert parse(comment("ping"), b": x\n", encode("a")) == [SSEEvent(data="a")]


@pytest.mark.parametrize(
    ("field", "value"),
    [("event", "a\nb"), ("event", "a\r"), ("id", "a\nb"), ("id", "\r"), ("id", "\0")],
)
def test_a_line_end_in_a_name_or_id_is_refused(field: str, value: str) -> None:
    with pytest.raises(InputError, match=f"{field}=.*JSON"):
        encode("x", **{field: value})  # type: ignore[arg-type]


def test_what_the_format_cannot_carry_is_refused() -> None:
    with pytest.raises(InputError, match="data="):
        encode("a\rb")
    with pytest.raises(InputError, match="comment="):
        comment("a\r")
    for retry in (-1, 10**15):
        with pytest.raises(InputError, match=f"retry={retry}"):
            encode("x", retry=retry)


names = st.text(min_size=1, max_size=5).filter(lambda t: not set(t) & set("\r\n\0"))
events = st.builds(
    SSEEvent,
    event=names,
    data=st.text(max_size=20).map(lambda t: t.replace("\r", "\n")),
    id=names,
    retry=st.none() | st.integers(0, 10**9),
)


@settings(max_examples=50, deadline=None)
@given(events)
def test_parsing_what_was_encoded_gives_it_back_under_every_split(e: SSEEvent) -> None:
    frame = encode(e.data, event=e.event, id=e.id, retry=e.retry)
    assert frame.endswith(b"\n\n")
    for chunks in every_split(frame):
        assert parse(*chunks) == [e]
