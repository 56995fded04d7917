"""A hundred prompts of many kinds, cut from 25 texts, for greedy comparisons.

English, code, digits, eight other languages, emoji and odd blanks; the texts are in
`vectors/greedy_prompts.json`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

__all__ = ["LENGTHS", "greedy_prompts"]

LENGTHS = (8, 12, 16, 24)  # tokens; equal lengths can be a batch without padding
SOURCE = Path(__file__).parent / "vectors" / "greedy_prompts.json"


def greedy_prompts(encode: Callable[[str], list[int]]) -> list[list[int]]:
    """Four windows of each text's tokens, 8, 12, 16 and 24 long: 100 prompts.

    The windows follow one another, so most begin in the middle of a text.
    """
    prompts = []
    for text in json.loads(SOURCE.read_text(encoding="utf-8")):
        ids, start = encode(text), 0
        assert len(ids) >= sum(LENGTHS), f"{len(ids)} tokens, too short: {text[:40]!r}"
        for length in LENGTHS:
            prompts.append(ids[start : start + length])
            start += length
    return prompts
