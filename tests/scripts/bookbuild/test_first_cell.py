"""The first cell: generated from one address, the same but for the number."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from labkit.book.parts import Part
from labkit.errors import ConfigError
from scripts.bookbuild.first_cell import first_cell, repository, with_first_cell
from tests.rules.tree import ROOT

URL = "https://example.org/lab"
SOURCE = """\
# %% [markdown]
# # Head

# %%
FIRST_CELL

# %% [markdown]
# After
"""
FOLDED = SOURCE.replace("# %%\n", '# %% tags=["plumbing"]\n')


def test_cells_differ_in_the_call_of_start_only() -> None:
    for part in (Part("index"), Part(appendix="speculation")):
        changed = first_cell(part, URL).replace(part.call, "start(chapter=4)")
        assert changed == first_cell(Part(4), URL)
    assert first_cell(Part(3), URL).replace("=3)", "=4)") == first_cell(Part(4), URL)


def test_the_cell_is_python_and_leaves_installing_to_a_script_that_exists() -> None:
    text = first_cell(Part(10), repository(ROOT))
    ast.parse(text)
    assert "labkit-book/scripts/colab.py" in text
    assert (ROOT / "scripts" / "colab.py").is_file()
    assert max(map(len, text.splitlines())) <= 88


def test_the_first_code_cell_is_replaced_and_nothing_else() -> None:
    written = with_first_cell(SOURCE, Part(10), URL)
    assert written == FOLDED.replace("FIRST_CELL", first_cell(Part(10), URL))
    assert with_first_cell(written, Part(10), URL) == written


def test_a_cell_at_the_end_is_replaced_too() -> None:
    written = with_first_cell("# %%\nold\n", Part(2), URL)
    assert written.startswith('# %% tags=["plumbing"]\nimport importlib.util\n')
    assert with_first_cell(written, Part(2), URL) == written


def test_a_chapter_without_code_is_refused() -> None:
    with pytest.raises(ConfigError, match="Chapter 1, layer client: no code"):
        with_first_cell("# %% [markdown]\n# text\n", Part(1), URL)


def test_the_address_has_one_home(tmp_path: Path) -> None:
    text = f'[project.urls]\nRepository = "{URL}"\n'
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    assert repository(tmp_path) == URL
