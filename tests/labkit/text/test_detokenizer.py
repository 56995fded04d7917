"""The detokenizer against recorded vectors and against decoding all bytes at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.text.detokenizer import StreamDetokenizer

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
