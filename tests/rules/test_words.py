"""Whoever looks for a word or a path of CONTRIBUTING.md finds it in the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules import tree, words

TEXT = tree.read(Path("CONTRIBUTING.md"))
WORDS = words.our_words(TEXT)
PLACES = [path.as_posix() for path in (*tree.files(), *map(Path, words.FOLDERS))]
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


@pytest.mark.parametrize("path", words.named_paths(TEXT))
def test_the_project_has_the_path(path: str) -> None:
    assert any(f"/{path}/" in f"/{place}/" for place in PLACES)


def test_paths_are_files_and_folders_without_placeholders() -> None:
    text = "`a.py` `labkit/x` `labkit/NAME.py` `make test` `Engine.step` `src/b.json`"
    assert words.named_paths(text) == ["a.py", "labkit/x", "src/b.json"]
    assert words.named_paths("<!-- map: x -->\n`gone.py`\n<!-- end of map -->") == []


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
