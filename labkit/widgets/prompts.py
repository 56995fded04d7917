"""How a widget says on which prompt it works, if not on that of its chapter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["Messages", "about"]

Messages = Sequence[Mapping[str, str]]
LONGEST = 40


def about(messages: Messages) -> str:
    """The beginning of a title: what the user asked last, in quotes."""
    asked = [one["content"] for one in messages if one["role"] == "user"]
    text = " ".join(asked[-1].split()) if asked else "no question"
    cut = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}\u2026"
    return f"\u201c{cut}\u201d: "
