"""A missing name in a real kernel: a sentence, unless it is something else."""

from __future__ import annotations

from pathlib import Path

from labkit.book.kernel import missing_words
from tests.support.cells import run_cells


def test_a_cell_in_the_middle_says_run_the_cells_above(tmp_path: Path) -> None:
    cells = (
        "%load_ext labkit.book.kernel",
        "x = 1\nrecorded.spans",
        "prnt(3)",
        "import labkit.book.kernel as k\nk.missing_words(1, 2, [])",
        "{}['a']",
        "def f():\n    return answer\nf()",
    )
    shown = run_cells(cells, tmp_path)
    assert "`recorded` is not defined yet (line 2 of this cell)" in shown[1].trace
    assert "Run All Above Selected Cell" in shown[1].trace
    assert "Traceback" not in shown[1].trace
    assert "Traceback" in shown[2].trace  # a builtin misspelt keeps its own words
    assert "Traceback" in shown[3].trace
    assert "KeyError" in shown[4].trace
    assert "`answer` is not defined yet" in shown[5].trace


def test_a_name_that_is_nearly_there_is_offered() -> None:
    words = missing_words("recordd", 1, ["recorded", "lab"])
    assert words.endswith("Cell (or did you mean `recorded`?).")
    assert missing_words("lenn", 1, []) == ""
