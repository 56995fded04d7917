"""The build: the same bytes twice, and one clear sentence where it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.book.parts import Part
from labkit.clock import SystemClock
from scripts.bookbuild import build as builder
from scripts.bookbuild.build import (
    build,
    differences,
    sources,
    sync_top,
    to_text,
)
from scripts.bookbuild.first_cell import colab_cell, first_cell
from scripts.bookbuild.normalise import BuildError

URL = "https://github.com/ann/book"
GOOD = """\
# %% [markdown]
# # Head

# %%
import os
os.environ["PYTHONHASHSEED"], {"b", "a", "c"}, os.path.basename(os.getcwd())

# %% tags=["measurement"]
import time
print(time.perf_counter())
"""
BAD = """\
# %% name="divide"
1 / 0
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "chapters" / "src").mkdir(parents=True)
    project = f'[project.urls]\nRepository = "{URL}"\n'
    (tmp_path / "pyproject.toml").write_text(project, encoding="utf-8")
    return tmp_path


def chapter(root: Path, text: str, name: str = "03_gateway") -> Path:
    path = root / "chapters" / "src" / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_two_builds_differ_in_measurements_only(root: Path) -> None:
    source = chapter(root, GOOD)
    first, second = (build(source, root, SystemClock()) for _ in range(2))
    assert differences(first, second) == []
    assert first["cells"][2]["outputs"] != second["cells"][2]["outputs"]
    plain = first["cells"][1]["outputs"][0]["data"]["text/plain"]
    assert plain.startswith("('0', {")
    assert plain.endswith("'chapters')")
    assert to_text(first).endswith("}\n")


def test_a_failing_cell_is_named_with_its_error(root: Path) -> None:
    source = chapter(root, BAD)
    with pytest.raises(BuildError) as caught:
        build(source, root, SystemClock())
    text = str(caught.value)
    assert text.startswith("03_gateway.py, cell divide failed: ZeroDivisionError")
    assert "1 / 0" in text
    assert "\x1b" not in text


def test_the_first_cell_is_written_or_found_stale(root: Path) -> None:
    source = chapter(root, "# %%\nFIRST_CELL\n")
    with pytest.raises(BuildError, match="its top is stale: run `make book`"):
        sync_top(root, source, is_check=True)
    sync_top(root, source, is_check=False)
    text = source.read_text(encoding="utf-8")
    assert colab_cell(URL) in text
    assert first_cell(Part(3), URL) in text
    sync_top(root, source, is_check=True)


def test_chapters_are_chosen_by_number_or_name(root: Path) -> None:
    names = ("03_gateway", "10_streaming", "appendix_speculation", "index")
    paths = [chapter(root, GOOD, name) for name in names]
    assert sources(root, []) == paths
    assert sources(root, ["3"]) == sources(root, ["03_gateway.py"]) == paths[:1]
    assert sources(root, ["speculation", "index"]) == paths[2:]
    with pytest.raises(BuildError, match="no chapter '4'; there are: 03_gateway, 10_"):
        sources(root, ["4"])


def test_a_notebook_that_is_too_large_names_its_largest_cell() -> None:
    cells = [{"id": "small"}, {"id": "large", "source": "x" * builder.MAX_BYTES}]
    with pytest.raises(BuildError, match="largest cell is large with 400,"):
        to_text({"cells": cells})


def test_changes_are_named_by_cell() -> None:
    def cells(*texts: str) -> dict[str, object]:
        return {"cells": [{"id": t[0], "source": t, "metadata": {}} for t in texts]}

    assert differences(cells("a", "b1"), cells("a", "b2")) == ["b"]
    assert "number of cells" in differences(cells("a"), cells("a", "b"))[0]
    assert differences(cells("a"), cells("a")) == []


def test_an_unknown_chapter_is_one_sentence_and_exit_code_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert builder.main(["99"]) == 1
    assert "no chapter '99'" in capsys.readouterr().err
