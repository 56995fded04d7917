"""From tokens to events: ends, stop strings, half characters, held text."""

from __future__ import annotations

from typing import Any

import pytest

from labkit.engine.output_processor import OutputProcessor
from labkit.records import TokenEvent
from labkit.sequence import FinishReason
from labkit.text.tokenizer import Tokenizer
from tests.support.rows import sequence
from tests.support.tiny import byte_tokenizer_spec

TOKENIZER = Tokenizer.from_spec(byte_tokenizer_spec())
END = 2  # <|im_end|>


def byte_ids(text: str) -> list[int]:
    """One token a byte: byte b has id 3 + b."""
    return [3 + byte for byte in text.encode()]


def events(ids: list[int], max_context: int = 100, **knobs: Any) -> list[TokenEvent]:
    """Emit `ids` one by one until an event says that it was the last."""
    known = sequence([1, 1], **knobs)
    processor, found = OutputProcessor(known, TOKENIZER, max_context), []
    for token_id in ids:
        found.append(processor.emit(token_id, step=0, time_s=0.0))
        if found[-1].finish is not None:
            break
    return found


def test_end_of_text_ends_without_text_and_is_not_counted() -> None:
    last = events([*byte_ids("hi"), END, *byte_ids("!")])[-1]
    assert (last.text, last.finish, last.is_counted) == ("", FinishReason.STOP, False)
    assert (last.index, last.token_id) == (2, END)


def test_end_of_text_may_be_ignored() -> None:
    found = events([END, *byte_ids("a")], ignore_eos=True)
    assert [event.text for event in found] == ["", "a"]
    assert all(event.is_counted and event.finish is None for event in found)


def test_stop_string_over_several_tokens_is_never_shown() -> None:
    found = events(byte_ids("one\nUser: two"), stop=("\nUser:",))
    assert "".join(event.text for event in found) == "one"
    assert (found[-1].finish, found[-1].index) == (FinishReason.STOP, 8)


def test_last_event_names_the_stop_string_that_matched() -> None:
    found = events(byte_ids("abcd"), stop=("x", "bc"))
    assert [event.stop for event in found] == [None, None, "bc"]
    assert events([*byte_ids("ab"), END], stop=("abc",))[-1].stop is None


def test_stop_string_that_the_last_half_character_completes_counts_as_one() -> None:
    last = events(byte_ids("a€")[:2], stop=("\ufffd",), max_tokens=2)[-1]
    assert (last.text, last.finish, last.stop) == ("", FinishReason.STOP, "\ufffd")


def test_text_held_for_a_stop_string_is_freed_at_the_end() -> None:
    found = events(byte_ids("ab\nUs"), stop=("\nUser:",), max_tokens=5)
    assert [event.text for event in found] == ["a", "b", "", "", "\nUs"]
    assert found[-1].finish is FinishReason.LENGTH


def test_character_cut_off_by_the_length_is_replaced() -> None:
    found = events(byte_ids("é€"), max_tokens=4)
    assert [event.text for event in found] == ["", "é", "", "\ufffd"]


@pytest.mark.parametrize("max_context", [5, 4])
def test_full_context_ends_by_length(max_context: int) -> None:
    found = events(byte_ids("abcdef"), max_context)
    assert len(found) == max_context - 2
    assert found[-1].finish is FinishReason.LENGTH


def test_end_of_text_wins_over_length_on_the_last_token() -> None:
    assert events([END], max_tokens=1)[-1].finish is FinishReason.STOP


def test_event_of_an_early_end_has_no_token_and_all_held_text() -> None:
    known = sequence([1], stop=("abc",))
    processor = OutputProcessor(known, TOKENIZER, 100)
    for token_id in byte_ids("xab"):
        processor.emit(token_id, step=0, time_s=0.0)
    last = processor.end_early(FinishReason.ABORT, step=7, time_s=1.5)
    assert (last.token_id, last.text, last.index, last.step) == (None, "ab", 3, 7)
    assert not last.is_counted


def test_text_of_tokens_that_are_there_already_is_not_said_again() -> None:
    known = sequence([1], stop=("cde",))
    known.output_ids = byte_ids("abc")
    processor = OutputProcessor(known, TOKENIZER, 100)
    first, second = (processor.emit(i, step=0, time_s=0.0) for i in byte_ids("dx"))
    assert (first.index, first.text) == (3, "")  # "cd" may become the stop string
    assert (second.index, second.text) == (4, "cdx")
