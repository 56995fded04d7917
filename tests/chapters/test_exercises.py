"""Every exercise of a built chapter has a solution that passed its check."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labkit.book.answers import EXERCISES
from tests.rules.tree import ROOT

NAMES = [exercise.name for exercise in EXERCISES]


def said(name: str, tag: str | None) -> list[str]:
    """What the chapter's cells with `tag` printed, line by line."""
    number = int(name.split(".", maxsplit=1)[0])
    (path,) = Path(ROOT, "chapters").glob(f"{number:02}_*.ipynb")
    cells: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["cells"]
    chosen = [c for c in cells if tag is None or tag in c["metadata"].get("tags", [])]
    outputs = [o for c in chosen for o in c.get("outputs", [])]
    texts = ["".join(o["text"]) for o in outputs if o["output_type"] == "stream"]
    return "".join(texts).splitlines()


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_passes(name: str) -> None:
    assert any(line.startswith(f"✓ {name}") for line in said(name, "solution"))


@pytest.mark.parametrize("name", NAMES)
def test_the_starter_is_open_until_a_reader_answers(name: str) -> None:
    assert any(line.startswith(f"… {name} is open") for line in said(name, None))
