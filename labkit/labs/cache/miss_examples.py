"""Pairs of rendered prompts that differ in one thing, and so lose their cache hits.

They are written in ChatML by hand, as clients do that build prompts themselves; the
texts are those whose token counts the book states.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["examples", "llama3", "stamped"]

SEARCH = {"name": "search", "args": ["query"]}
CLOCK = {"name": "clock", "args": []}
SWAPPED = {"args": ["query"], "name": "search"}  # the same as SEARCH


def stamped(second: int, *, is_first: bool, tools: Sequence[Any] = ()) -> str:
    """A long policy with the time in front of it or behind it."""
    now = f"Current time: 2026-11-22T06:47:0{second}Z"
    head, tail = (f"{now}\n", "") if is_first else ("", now)
    listed = f"Tools: {json.dumps(tools)}\n" if tools else ""
    policy = "You are a helpful assistant. " + "Follow the policy carefully. " * 100
    turns = (("system", f"{head}{listed}{policy}{tail}"), ("user", "Hi"))
    body = "".join(f"<|im_start|>{who}\n{text}<|im_end|>\n" for who, text in turns)
    return f"{body}<|im_start|>assistant\n"


def llama3(chatml: str) -> str:
    """The same turns in the marks of Llama 3's template."""
    marks = r"<|start_header_id|>\1<|end_header_id|>\n\n"
    turns = re.sub(r"<\|im_start\|>(\w+)\n", marks, chatml)
    return turns.replace("<|im_end|>\n", "<|eot_id|>")


def examples() -> Mapping[str, tuple[str, str]]:
    """Two prompts by what sets them apart."""

    def with_tools(*tools: Any) -> str:
        return stamped(1, is_first=False, tools=tools)

    plain = stamped(1, is_first=False)
    return {
        "the time first": (stamped(1, is_first=True), stamped(2, is_first=True)),
        "the time last": (plain, stamped(2, is_first=False)),
        "tools in another order": (
            with_tools(SEARCH, CLOCK),
            with_tools(CLOCK, SEARCH),
        ),
        "keys in another order": (with_tools(SEARCH), with_tools(SWAPPED)),
        "beginning-of-text twice": (plain, f"<|im_start|>{plain}"),
        "another template": (plain, llama3(plain)),
    }
