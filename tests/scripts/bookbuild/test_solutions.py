"""A solution is code that CI runs and text that a reader opens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scripts.bookbuild.solutions import fold, is_solution, main, unfold
from tests.rules.tree import ROOT


def solved(source: str, said: str) -> dict[str, Any]:
    stream = {"output_type": "stream", "name": "stdout", "text": said}
    tags = {"tags": ["solution"]}
    cell = {"cell_type": "code", "id": "s", "source": source, "metadata": tags}
    return {**cell, "execution_count": 3, "outputs": [stream]}


def test_the_text_is_closed_until_somebody_opens_it() -> None:
    cell = fold(solved("x = 1", "✓ 3.1: right.\n"))
    assert cell["cell_type"] == "markdown"
    assert is_solution(cell)
    assert cell["source"].startswith("<details>\n<summary>Solution</summary>\n\n")
    assert cell["source"].endswith("\n\n</details>")
    assert "open" not in cell["source"].split(">", maxsplit=1)[0]


def test_unfolding_gives_the_code_and_what_it_said() -> None:
    code = "def f(x):\n    return x\n\n\nlab.check('3.1', f)"
    cell = unfold(fold(solved(code, "✓ a claim\n✓ 3.1: right.\n")))
    assert cell["cell_type"] == "code"
    assert cell["source"] == code
    assert cell["outputs"][0]["text"] == "✓ a claim\n✓ 3.1: right.\n"


def test_other_cells_stay_as_they_are() -> None:
    prose = {"cell_type": "markdown", "id": "p", "source": "# Hi", "metadata": {}}
    assert unfold(prose) is prose
    assert unfold(solved("x", "")) == solved("x", "")


def test_every_chapter_is_written_with_its_data_beside_it(tmp_path: Path) -> None:
    for _ in range(2):
        assert main([str(tmp_path / "solved")]) == 0
    written = sorted((tmp_path / "solved").glob("*.ipynb"))
    chapters = sorted((ROOT / "chapters").glob("*.ipynb"))
    assert [path.name for path in written] == [path.name for path in chapters]
    for path in written:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        assert not [c for c in cells if is_solution(c) and c["cell_type"] != "code"]
    assert (tmp_path / "solved" / "data").is_dir()
