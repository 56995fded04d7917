"""One law for all push parsers: every split of the input gives the same result."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.text.detokenizer import StopMatcher, StreamDetokenizer
from labkit.text.markdown import MarkdownStream, Strategy
from labkit.text.sse import SSEParser
from tests.support.splits import cut_at, every_split

TEXT = "Zoë:\n\n- 🍓 [x]\n- <b>\n\n[x]: http://a.b\r\nUser: ok\r\n\r\ndata: 1\n\n"


def detokenized(pieces: list[bytes]) -> object:
    detokenizer = StreamDetokenizer(pieces.__getitem__)
    return "".join(map(detokenizer.feed, range(len(pieces)))) + detokenizer.flush()


def stopped(pieces: list[str]) -> object:
    matcher = StopMatcher(["\r\nUser:", "User: k", "-->"])
    return "".join(map(matcher.feed, pieces)) + matcher.flush(), matcher.matched


def parsed_events(pieces: list[bytes]) -> object:
    parser = SSEParser()
    events = [event for piece in pieces for event in parser.feed(piece)]
    return events + parser.flush(), parser.last_event_id, parser.retry_ms


def shown_markdown(strategy: Strategy) -> Callable[[list[str]], object]:
    def run(pieces: list[str]) -> object:
        stream = MarkdownStream(strategy)
        for piece in pieces:
            stream.feed(piece)
        stream.flush()
        return stream.html

    return run


OF_BYTES = {"detokenizer": detokenized, "sse": parsed_events}
OF_TEXT = {"stop": stopped} | {f"markdown-{s}": shown_markdown(s) for s in Strategy}


@pytest.mark.parametrize("name", OF_BYTES)
def test_every_split_of_the_bytes_gives_the_same_result(name: str) -> None:
    data = TEXT.encode()
    whole = OF_BYTES[name]([data])
    assert all(OF_BYTES[name](pieces) == whole for pieces in every_split(data))


@pytest.mark.parametrize("name", OF_TEXT)
def test_every_split_of_the_text_gives_the_same_result(name: str) -> None:
    whole = OF_TEXT[name]([TEXT])
    assert all(OF_TEXT[name](pieces) == whole for pieces in every_split(TEXT))


cuts = st.lists(st.integers(0, 60), max_size=8)
stream_bytes = st.lists(
    st.sampled_from(
        [b"data", b":", b" ", b"id", b"event", b"retry", b"7", b"\r", b"\n"]
    )
    | st.binary(max_size=3)
).map(b"".join)
stream_text = st.lists(
    st.sampled_from(
        ["User:", "\n", "\r", "- ", "**", "`", "[x]", "[x]: /u", "a", "é", "--", ">"]
    )
).map("".join)


@pytest.mark.parametrize("name", OF_BYTES)
@settings(max_examples=50, deadline=None)
@given(data=stream_bytes, cuts=cuts)
def test_any_cuts_of_any_bytes(name: str, data: bytes, cuts: list[int]) -> None:
    assert OF_BYTES[name](cut_at(data, cuts)) == OF_BYTES[name]([data])


@pytest.mark.parametrize("name", OF_TEXT)
@settings(max_examples=50, deadline=None)
@given(text=stream_text, cuts=cuts)
def test_any_cuts_of_any_text(name: str, text: str, cuts: list[int]) -> None:
    assert OF_TEXT[name](cut_at(text, cuts)) == OF_TEXT[name]([text])
