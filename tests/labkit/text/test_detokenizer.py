"""The detokenizer against vectors and whole decoding; what the stop matcher holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.errors import InputError
from labkit.text.detokenizer import StopMatcher, StreamDetokenizer

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "support/vectors/detokenize_vectors.json").read_text()
)["cases"]


def token_bytes(written: str) -> bytes:
    """A token of the vectors: hexadecimal, or the text of a special token."""
    return b"" if written.startswith("<|") else bytes.fromhex(written)


def over(vocabulary: list[bytes]) -> StreamDetokenizer:
    return StreamDetokenizer(vocabulary.__getitem__)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_pieces_equal_the_vectors(case: dict[str, Any]) -> None:
    tokens = [token_bytes(token) for token in case["token_bytes_hex"]]
    detokenizer = over(tokens)
    pieces = [detokenizer.feed(i) for i in range(len(tokens))]
    assert pieces == case["python_incremental_steps"]
    assert detokenizer.flush() == case["python_incremental_final"]
    assert "".join(pieces) + case["python_incremental_final"] == case["decode_all"]


def test_num_held_counts_the_bytes_of_an_unfinished_character() -> None:
    detokenizer = over([bytes([byte]) for byte in "🍓".encode()])
    held = []
    for i in range(4):
        detokenizer.feed(i)
        held.append(detokenizer.num_held)
    assert held == [1, 2, 3, 0]


def test_flush_leaves_nothing_held_and_can_be_repeated() -> None:
    detokenizer = over([b"\xf0\x9f", b"ok"])
    detokenizer.feed(0)
    assert detokenizer.flush() == "\ufffd"
    assert detokenizer.flush() == ""
    assert detokenizer.num_held == 0
    assert detokenizer.feed(1) == "ok"


def test_a_replacement_character_in_the_text_itself_is_not_lost() -> None:
    detokenizer = over(["\ufffd".encode()])
    assert detokenizer.feed(0) + detokenizer.flush() == "\ufffd"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=5)))
def test_pieces_join_to_one_decode_of_all_bytes(tokens: list[bytes]) -> None:
    detokenizer = over(tokens)
    text = "".join(detokenizer.feed(i) for i in range(len(tokens)))
    whole = b"".join(tokens).decode("utf-8", "replace")
    assert text + detokenizer.flush() == whole


@settings(max_examples=50, deadline=None)
@given(st.text(), st.integers(1, 4))
def test_valid_text_never_shows_half_a_character(text: str, size: int) -> None:
    data = text.encode()
    detokenizer = over([data[i : i + size] for i in range(0, len(data), size)])
    pieces = [detokenizer.feed(i) for i in range(-(-len(data) // size))]
    assert "".join(pieces) == text
    assert detokenizer.num_held == 0


def shown(stops: list[str], *pieces: str) -> list[str]:
    matcher = StopMatcher(stops)
    return [*(matcher.feed(piece) for piece in pieces), matcher.flush()]


def test_without_stops_everything_passes_at_once() -> None:
    assert shown([], "ab", "c") == ["ab", "c", ""]


def test_a_stop_string_that_straddles_pieces_is_never_shown() -> None:
    assert shown(["\nUser:"], "Hi\nUs", "er: ok") == ["Hi", "", ""]


def test_only_a_possible_beginning_is_held() -> None:
    matcher = StopMatcher(["\nUser:"])
    assert matcher.feed("one\ntwo\nU") == "one\ntwo"
    assert matcher.held == "\nU"


def test_the_longest_possible_beginning_is_held() -> None:
    matcher = StopMatcher(["aab"])
    assert matcher.feed("xaaa") == "xa"
    assert matcher.feed("b") == ""
    assert matcher.matched == "aab"


def test_held_text_comes_out_when_it_was_no_stop() -> None:
    assert shown(["END"], "EN", "T") == ["", "ENT", ""]
    assert shown(["END"], "the EN") == ["the ", "EN"]


def test_the_stop_that_completes_first_wins() -> None:
    matcher = StopMatcher(["bcde", "cd"])
    assert matcher.feed("abcde") == "ab"
    assert matcher.matched == "cd"


def test_the_first_listed_wins_a_tie() -> None:
    for stops, safe in ((["bc", "abc"], "xa"), (["abc", "bc"], "x")):
        matcher = StopMatcher(stops)
        assert matcher.feed("xabc") == safe
        assert matcher.matched == stops[0]


def test_after_a_match_everything_is_swallowed() -> None:
    matcher = StopMatcher(["."])
    assert [matcher.feed(p) for p in ("a.b", "c")] == ["a", ""]
    assert matcher.flush() == ""
    assert matcher.matched == "."


def test_an_empty_stop_string_is_refused() -> None:
    with pytest.raises(InputError, match="cannot be empty") as caught:
        StopMatcher(["a", ""])
    assert caught.value.param == "stop"


letters = st.text("ab", max_size=12)
stop_lists = st.lists(st.text("ab", min_size=1, max_size=4), max_size=3)


@settings(max_examples=100, deadline=None)
@given(stop_lists, letters)
def test_shown_text_equals_a_search_of_the_whole(stops: list[str], text: str) -> None:
    ends = (i for i in range(len(text) + 1) if text[:i].endswith(tuple(stops)))
    end = next(ends, None) if stops else None
    matcher = StopMatcher(stops)
    out = "".join(matcher.feed(char) for char in text) + matcher.flush()
    if end is None:
        assert (out, matcher.matched) == (text, None)
    else:
        winner = next(stop for stop in stops if text[:end].endswith(stop))
        assert (out, matcher.matched) == (text[: end - len(winner)], winner)


@settings(max_examples=100, deadline=None)
@given(stop_lists, letters)
def test_nothing_is_held_that_could_be_shown(stops: list[str], text: str) -> None:
    matcher = StopMatcher(stops)
    for char in text:
        matcher.feed(char)
        held = matcher.held
        assert not held or any(s.startswith(held) and s != held for s in stops)
