"""Token ids equal to those that llama.cpp gave for the same weights.

`tests/support/record_llama_cpp_tokens.py` recorded them.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labkit.records import TokenizerSpec
from labkit.text.tokenizer import Tokenizer

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "support/vectors/llama_cpp_tokens.json").read_text()
)


def name(case: dict[str, Any]) -> str:
    return f"{ascii(case['text'])[:40]}-{'special' if case['special'] else 'plain'}"


def test_at_least_320_strings_are_compared() -> None:
    assert len({case["text"] for case in VECTORS["cases"]}) >= 320


@pytest.mark.weights
@pytest.mark.parametrize("case", VECTORS["cases"], ids=name)
def test_ids_equal_llama_cpp(tokenizer: Tokenizer, case: dict[str, Any]) -> None:
    ids = tokenizer.encode(case["text"], allow_special=case["special"])
    assert ids == case["ids"]


@pytest.mark.weights
@pytest.mark.parametrize("pre", VECTORS["other_pre"])
def test_ids_equal_llama_cpp_with_another_pre_tokenizer(
    tokenizer_spec: TokenizerSpec, pre: str
) -> None:
    tokenizer = Tokenizer.from_spec(replace(tokenizer_spec, pre=pre))
    cases = [case for case in VECTORS["other_pre"][pre] if _is_comparable(case, pre)]
    got = {case["text"]: tokenizer.encode(case["text"]) for case in cases}
    assert got == {case["text"]: case["ids"] for case in cases}
    assert len(cases) > 300


def _is_comparable(case: dict[str, Any], pre: str) -> bool:
    """Qwen2's own tokenizer composes characters first, which llama.cpp leaves out."""
    return pre != "qwen2" or unicodedata.is_normalized("NFC", case["text"])
