"""The set-up cell is generated, two lines of code, the same but for the number."""

from __future__ import annotations

import ast

import pytest

from labkit.book.parts import Part
from labkit.errors import ConfigError
from scripts.bookbuild.first_cell import (
    colab_cell,
    first_cell,
    with_band,
    with_first_cell,
)

URL = "https://github.com/ann/book"
SOURCE = """\
# %% [markdown]
# # Head

# %%
FIRST_CELL

# %% [markdown]
# After
"""
FOLDED = SOURCE.replace("# %%\n", '# %% tags=["plumbing"]\n')


@pytest.mark.parametrize("url", [None, URL])
def test_cells_differ_in_the_call_of_start_only(url: str | None) -> None:
    for part in (Part(appendix="speculation"), Part(3)):
        changed = first_cell(part, url).replace(part.call, "start(chapter=4)")
        assert changed == first_cell(Part(4), url)


@pytest.mark.parametrize("url", [None, URL])
def test_the_set_up_is_an_import_a_call_and_the_opening(url: str | None) -> None:
    text = first_cell(Part(10), url)
    two = ["from labkit.book import start", "lab = start(chapter=10)"]
    statements = [ast.unparse(node) for node in ast.parse(text).body]
    assert statements == [*two, "lab.opening()"]
    assert "opening" not in first_cell(Part("index"), url)
    assert max(map(len, text.splitlines())) <= 88


def test_without_an_address_the_cell_says_so_and_clones_nothing() -> None:
    text = with_first_cell(SOURCE, Part(10), None)
    assert "this book has no public address yet" in text
    assert "OWNER/REPO" not in text
    assert "run_path" not in text


def test_the_cell_for_colab_is_python_and_runs_one_script() -> None:
    text = colab_cell(URL)
    ast.parse(text)
    assert URL in text
    assert "/raw/HEAD/scripts/colab.py" in text
    assert max(map(len, text.splitlines())) <= 88


def test_with_an_address_colab_installs_before_the_set_up() -> None:
    written = with_first_cell(SOURCE, Part(10), URL)
    assert written.index(colab_cell(URL)) < written.index(first_cell(Part(10), URL))
    assert with_first_cell(written, Part(10), URL) == written
    without = with_first_cell(written, Part(10), None)
    assert without == with_first_cell(SOURCE, Part(10), None)


def test_the_first_code_cell_is_replaced_and_nothing_else() -> None:
    written = with_first_cell(SOURCE, Part(10), None)
    assert written == FOLDED.replace("FIRST_CELL", first_cell(Part(10), None))
    assert with_first_cell(written, Part(10), None) == written


@pytest.mark.parametrize("url", [None, URL])
def test_a_cell_at_the_end_is_replaced_too(url: str | None) -> None:
    written = with_first_cell("# %%\nold\n", Part(2), url)
    assert "old" not in written
    assert written.startswith('# %% tags=["plumbing"')
    assert with_first_cell(written, Part(2), url) == written


def test_a_chapter_without_code_is_refused() -> None:
    with pytest.raises(ConfigError, match="Chapter 1, layer client: no code"):
        with_first_cell("# %% [markdown]\n# text\n", Part(1), None)


def test_a_chapter_has_its_band_under_its_title_once() -> None:
    head = "# %% [markdown]\n# # 10 · Streaming\n#\n# Words.\n"
    band = "#\n# ![Layer 10 of 12: streaming](images/layer_10.svg)\n#\n# Words.\n"
    made = with_band(head, Part(10))
    assert made.endswith(f"# # 10 · Streaming\n{band}")
    assert with_band(made, Part(10)) == made
    assert with_band(head, Part("index")) == head
