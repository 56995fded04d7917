"""Every claim of the book is a whole sentence; the rule catches what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules.claims import claim_faults
from tests.rules.tree import ROOT

SOURCES = sorted(Path(ROOT, "chapters", "src").glob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_every_claim_is_a_sentence(path: Path) -> None:
    faults = claim_faults(Path(path.name), path.read_text(encoding="utf-8"))
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("call", "count"),
    [
        ('claim("All is well.", True)', 0),
        ('claim(f"It takes {ms} ms.", True)', 0),
        ('claim("It takes " "3 ms.", True)', 0),
        ('claim(f"{n} of them are kept.", True)', 0),
        ('claim("vLLM keeps it.", True)', 0),
        ('claim("`lab.ask()` goes back (it does.)", True)', 0),
        ('claim("all is well", True)', 1),
        ('claim("and here 3 times.", True)', 1),
        ('claim("Is all well?", True)', 1),
        ('claim(f"It takes {ms}", True)', 1),
        ('claim("", True)', 1),
    ],
)
def test_the_rule_catches_what_is_no_sentence(call: str, count: int) -> None:
    assert len(claim_faults(Path("x.py"), call)) == count
