"""Whoever looks for a word of CONTRIBUTING's table finds it in the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules import tree, words

WORDS = words.our_words(tree.read(Path("CONTRIBUTING.md")))
KERNELS = [path for path in tree.files() if path.suffix in (".c", ".h")]
SOURCES = [*tree.python("labkit", "server"), *KERNELS]


def test_the_table_has_words() -> None:
    assert {"Engine", "Scheduler", "BlockPool"} <= set(WORDS)
    assert len(set(WORDS)) == len(WORDS)


@pytest.fixture(scope="module")
def names() -> set[str]:
    return {n for path in SOURCES for n in words.defined(path, tree.read(path))}


@pytest.mark.parametrize("word", WORDS)
def test_the_code_has_the_word(word: str, names: set[str]) -> None:
    assert word in names


def test_only_the_first_column_counts() -> None:
    text = (
        "x\n## Words\nProse `a`.\n\n| our | x |\n|---|---|\n| `b` `c` | `d` |\n\n## Y\n"
    )
    assert words.our_words(f"{text}| `e` | |\n") == ["b", "c"]


def test_a_name_counts_where_it_is_defined() -> None:
    source = (
        "import used\nclass A:\n    field: int\n\ndef f(given): local = used.other\n"
    )
    found = words.defined(Path("labkit/module.py"), source)
    assert found == {"module", "A", "field", "f", "given", "local"}
    assert "crew" in words.defined(Path("labkit/native/x.h"), "struct crew { int n; };")
