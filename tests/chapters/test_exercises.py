"""Every exercise of a built chapter has a solution that passed its check.

CI runs the solutions themselves with their chapters (the group `chapters`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labkit.book.answers import EXERCISES
from scripts.bookbuild.solutions import is_solution, unfold
from tests.rules.tree import ROOT

NAMES = [exercise.name for exercise in EXERCISES]


def said(name: str, *, by_solution: bool) -> list[str]:
    """What the chapter's solutions, or its other cells, printed, line by line."""
    number = int(name.split(".", maxsplit=1)[0])
    (path,) = Path(ROOT, "chapters").glob(f"{number:02}_*.ipynb")
    cells: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["cells"]
    chosen = [unfold(c) for c in cells if is_solution(c) == by_solution]
    outputs = [o for c in chosen for o in c.get("outputs", [])]
    texts = ["".join(o["text"]) for o in outputs if o["output_type"] == "stream"]
    return "".join(texts).splitlines()


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_passes(name: str) -> None:
    assert any(line.startswith(f"✓ {name}") for line in said(name, by_solution=True))


@pytest.mark.parametrize("name", NAMES)
def test_the_starter_is_open_until_a_reader_answers(name: str) -> None:
    assert any(
        line.startswith(f"… {name} is open") for line in said(name, by_solution=False)
    )
