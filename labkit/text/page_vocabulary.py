"""A vocabulary in the form that the tokenizer in a page takes.

The page's tokenizer is tiktoken's: it merges by the rank of a token, not by a list of
merges, and cuts words by one pattern. It refuses every vocabulary for which this would
not give the same ids: a near miss counts wrongly without any error.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

from labkit.errors import WeightsError
from labkit.text.tokenizer import Tokenizer, byte_alphabet

__all__ = ["page_vocabulary"]

# The words of GPT-2, where digits were cut off one by one before: `\s+(?=\p{N})` keeps
# the blanks before a digit together, since for the words' own pattern the text ends.
_SINGLE_DIGITS: Final = (
    r"\p{N}|'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?[^\s\p{L}\p{N}]+"
    r"|\s+(?=\p{N})|\s+(?!\S)|\s+"
)
_PRE_TOKENIZERS: Final = ["Digits", "ByteLevel"]


def page_vocabulary(tokenizer: Tokenizer) -> dict[str, Any]:
    """The vocabulary of `tokenizer` as plain JSON values.

    `ranks` is tiktoken's text form, `pattern` cuts words, `special` has ids by text,
    and `missing` are the byte values for which there is no token.
    """
    described = json.loads(tokenizer.to_json())
    _refuse_what_differs(described)
    alphabet = byte_alphabet()
    special = {added["content"]: added["id"] for added in described["added_tokens"]}
    vocab: dict[str, int] = described["model"]["vocab"]
    ranks = {
        i: b64encode(bytes(map(alphabet.__getitem__, text))).decode()
        for text, i in vocab.items()
        if text not in special
    }
    return {
        "ranks": "\n".join(f"! {i} {ranks[i]}" for i in sorted(ranks)),
        "pattern": _SINGLE_DIGITS,
        "special": special,
        "missing": [byte for char, byte in alphabet.items() if char not in vocab],
    }


def _refuse_what_differs(described: Mapping[str, Any]) -> None:
    splits = described["pre_tokenizer"].get("pretokenizers", [])
    if [split["type"] for split in splits] != _PRE_TOKENIZERS or not splits[0].get(
        "individual_digits"
    ):
        raise WeightsError(
            "the tokenizer in the page knows vocabularies only that cut digits off one "
            "by one and then words as GPT-2 does (SmolLM2), and this one is cut by "
            f"{described['pre_tokenizer']}: count its tokens in Python"
        )
    texts = [a["content"] for a in described["added_tokens"] if not a["special"]]
    if texts:
        raise WeightsError(
            f"the tokenizer in the page has no user-defined tokens such as {texts[0]!r}"
            ": count this vocabulary's tokens in Python"
        )
