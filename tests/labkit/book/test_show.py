"""Text outputs: the code itself, tables, prose."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.book import show
from labkit.errors import ConfigError
from labkit.text.sse import SSEParser, encode
from labkit.trace import Span


def bundle(prose: show.Prose) -> dict[str, str]:
    return prose._repr_mimebundle_(include=None, exclude=None)


def test_source_is_the_packages_own_code() -> None:
    found = bundle(show.source(encode))
    assert found["text/markdown"].startswith(
        "`labkit.text.sse.encode`\n\n```python\ndef"
    )
    assert "frames" not in found["text/plain"].splitlines()[0]
    assert show.source(SSEParser.feed).plain.splitlines()[1].startswith("def feed")


def test_properties_and_modules_have_a_source() -> None:
    assert "def duration_s" in show.source(Span.duration_s).plain
    assert show.source(show).markdown.startswith("`labkit.book.show`")


def fenced() -> str:
    return "```not the end```"


def test_code_that_holds_a_fence_gets_a_longer_one() -> None:
    lines = show.source(fenced).markdown.splitlines()
    assert (lines[2], lines[-1]) == ("````python", "````")


@pytest.mark.parametrize("thing", [len, 3])
def test_what_has_no_source_is_refused(thing: object) -> None:
    with pytest.raises(ConfigError, match="no Python source"):
        show.source(thing)


def test_a_table_sets_numbers_right_and_escapes_bars() -> None:
    table = show.as_table(["part", "ms"], [["a|b", "1.5"], ["c", 12]])
    assert table.markdown.splitlines() == [
        "| part | ms |",
        "| :-- | --: |",
        "| a\\|b | 1.5 |",
        "| c | 12 |",
    ]
    assert repr(table).splitlines() == ["part   ms", "a|b   1.5", "c      12"]


def test_an_empty_table_is_a_head() -> None:
    assert len(show.as_table(["a", "b"], []).markdown.splitlines()) == 2


def test_a_row_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="does not fit the head"):
        show.as_table(["a"], [["x", "y"]])


def test_nothing_shown_names_this_machine() -> None:
    assert str(Path.cwd()) not in show.source(encode).plain
