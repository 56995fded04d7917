"""The tokenizer in the page gives the ids that the tokenizer in Python gives."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from platformdirs import user_cache_path

from labkit.text.page_vocabulary import page_vocabulary
from labkit.text.tokenizer import Tokenizer
from labkit.weights.parsed import open_parsed
from labkit.widgets.assets import read
from tests.support.page_tokenizer import FRAGMENTS, ids_in_node, mixtures

pytestmark = pytest.mark.weights

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "tests/support/vectors/llama_cpp_tokens.json"
IN_PAGE = """async ({ code, vocabulary, texts }) => {
  const url = URL.createObjectURL(new Blob([code], { type: 'text/javascript' }));
  const { load } = await import(url);
  const tokenizer = await load(vocabulary);
  return texts.map((text) => tokenizer.encode(text));
}"""


@pytest.fixture(scope="module")
def tokenizer(weights: Path) -> Tokenizer:
    return Tokenizer.from_spec(
        open_parsed(weights, user_cache_path("labkit")).tokenizer
    )


@pytest.fixture(scope="module")
def vocabulary(tokenizer: Tokenizer) -> dict[str, Any]:
    return page_vocabulary(tokenizer)


def differences(
    tokenizer: Tokenizer, texts: list[str], got: list[list[int]], *, special: bool
) -> list[str]:
    pairs = zip(texts, got, strict=True)
    return [
        ascii(text)
        for text, ids in pairs
        if ids != tokenizer.encode(text, allow_special=special)
    ]


def test_no_difference_on_5000_mixtures_and_400_source_files(
    tokenizer: Tokenizer, vocabulary: dict[str, Any]
) -> None:
    paths = sorted((ROOT / "labkit").rglob("*.py"))[:400]
    texts = mixtures(5000, seed=14) + [path.read_text("utf-8") for path in paths]
    got = ids_in_node(vocabulary, texts)
    assert differences(tokenizer, texts, got, special=False) == []


def test_no_difference_where_special_tokens_are_allowed(
    tokenizer: Tokenizer, vocabulary: dict[str, Any]
) -> None:
    texts = mixtures(2000, seed=15)
    got = ids_in_node(vocabulary, texts, allow_special=True)
    assert differences(tokenizer, texts, got, special=True) == []
    assert any(tokenizer.is_special(i) for ids in got for i in ids)


def test_ids_in_the_page_equal_those_that_llama_cpp_gave(
    vocabulary: dict[str, Any],
) -> None:
    cases = json.loads(RECORDED.read_text())["cases"]
    for special in (False, True):
        asked = [case for case in cases if case["special"] is special]
        texts = [case["text"] for case in asked]
        got = ids_in_node(vocabulary, texts, allow_special=special)
        assert got == [case["ids"] for case in asked]


def test_the_mixtures_hold_every_kind_of_fragment() -> None:
    text = "".join(mixtures(5000, seed=14))
    assert [f for kind in FRAGMENTS for f in kind if f not in text] == []


def test_merging_by_rank_is_merging_by_the_list(tokenizer: Tokenizer) -> None:
    """Tiktoken joins the two parts whose token has the lowest rank.

    The model's list allows one pair of parts for each token. If merging by rank takes
    every token's own text to that pair, then no other pair with the same text can ever
    stand side by side, so both ways give the same ids for every text.
    """
    model = json.loads(tokenizer.to_json())["model"]
    ranks: dict[str, int] = model["vocab"]
    pairs = {left + right: (left, right) for left, right in model["merges"]}
    assert len(pairs) == len(model["merges"])
    assert [ranks[text] for text in pairs] == sorted(ranks[text] for text in pairs)
    assert [
        text for text, pair in pairs.items() if last_pair(text, ranks) != pair
    ] == []


def last_pair(text: str, ranks: dict[str, int]) -> tuple[str, ...]:
    """The two parts of a token's text that are left before the last merge by rank."""
    parts = list(text)
    while len(parts) > 2:
        joined = [left + right for left, right in pairwise(parts)]
        known = [(ranks[word], at) for at, word in enumerate(joined) if word in ranks]
        if not known:
            break
        at = min(known)[1]
        parts[at : at + 2] = [joined[at]]
    return tuple(parts)


@pytest.mark.browser
def test_chromium_gives_the_same_ids_for_4000_mixtures(
    chrome: Any, tokenizer: Tokenizer, vocabulary: dict[str, Any]
) -> None:
    texts = mixtures(4000, seed=16)
    page = chrome.new_page()
    asked = {"code": read("tokenizer.js").decode(), "texts": texts}
    got = page.evaluate(IN_PAGE, {**asked, "vocabulary": vocabulary})
    page.close()
    assert differences(tokenizer, texts, got, special=False) == []
