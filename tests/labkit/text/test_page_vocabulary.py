"""The vocabulary that is sent to a page, and those that are refused."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace

import pytest

from labkit.errors import WeightsError
from labkit.records import TokenizerSpec
from labkit.text.page_vocabulary import page_vocabulary
from labkit.text.tokenizer import Tokenizer, byte_alphabet

NORMAL, CONTROL, USER_DEFINED = 1, 3, 4
ALPHABET = tuple(byte_alphabet())
SPEC = TokenizerSpec(
    eos_ids=(0,),
    chat_template=None,
    tokens=("<end>", *ALPHABET, "ab", "Ġab"),
    token_types=(CONTROL, *[NORMAL] * 258),
    merges=("a b", "Ġ ab"),
    pre="smollm",
)


def test_each_token_stands_with_its_bytes_and_its_id() -> None:
    vocabulary = page_vocabulary(Tokenizer.from_spec(SPEC))
    rows = [line.split(" ") for line in vocabulary["ranks"].splitlines()]
    ids = {b64decode(token): int(i) for _, i, token in rows}
    assert len(ids) == 258
    assert (ids[b"ab"], ids[b" ab"]) == (257, 258)
    assert vocabulary["special"] == {"<end>": 0}
    assert vocabulary["missing"] == []


def test_byte_values_without_a_token_are_named() -> None:
    tokens = tuple(token for token in SPEC.tokens if token != ALPHABET[-1])
    without = replace(SPEC, tokens=tokens, token_types=SPEC.token_types[:-1])
    missing = page_vocabulary(Tokenizer.from_spec(without))["missing"]
    assert missing == [byte_alphabet()[ALPHABET[-1]]]


@pytest.mark.parametrize("pre", ["gpt-2", "llama-bpe", "qwen2"])
def test_words_that_are_cut_otherwise_are_refused(pre: str) -> None:
    other = Tokenizer.from_spec(replace(SPEC, pre=pre))
    with pytest.raises(WeightsError, match="count its tokens in Python"):
        page_vocabulary(other)


def test_user_defined_tokens_are_refused_by_name() -> None:
    tokens = (*SPEC.tokens, "<tool>")
    types = (*SPEC.token_types, USER_DEFINED)
    with pytest.raises(WeightsError, match="<tool>"):
        page_vocabulary(
            Tokenizer.from_spec(replace(SPEC, tokens=tokens, token_types=types))
        )
