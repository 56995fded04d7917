"""The stop matcher: which stop wins, what is held, what is shown."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.errors import InputError
from labkit.text.stop import StopMatcher


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
