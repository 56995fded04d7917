"""The dialect of a stream is found from its events."""

from __future__ import annotations

from labkit.dialects.readers import Dialect, dialect_of


def test_the_dialect_shows_in_the_first_object() -> None:
    typed, delta = '{"type":"ping"}', '{"choices":[]}'
    assert dialect_of(["no", typed, delta]) is Dialect.ANTHROPIC
    assert dialect_of(["[1]", delta, typed]) is Dialect.OPENAI
    assert dialect_of(["[DONE]"]) is Dialect.OPENAI
