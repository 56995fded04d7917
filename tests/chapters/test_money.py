"""Amounts of money in what chapters show: Markdown takes `$…$` for mathematics."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.rules.tree import ROOT

BOOK = sorted(Path(ROOT, "chapters").glob("*.ipynb"))
AMOUNT = re.compile(r"(?<!\\)\$\d")


def rendered(path: Path) -> list[str]:
    """Markdown that cells show."""
    cells: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["cells"]
    outputs = [o for cell in cells for o in cell.get("outputs", [])]
    return ["".join(o.get("data", {}).get("text/markdown", "")) for o in outputs]


@pytest.mark.parametrize("path", BOOK, ids=lambda path: path.stem)
def test_no_amount_of_money_is_rendered_as_a_formula(path: Path) -> None:
    code = re.compile(r"```.*?```", re.DOTALL)
    texts = [code.sub("", text) for text in rendered(path)]
    assert [text for text in texts if AMOUNT.search(text)] == []
