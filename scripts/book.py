"""What `make book` was asked for: notebooks to build, slow runs to run anew first."""

from __future__ import annotations

import re
from collections.abc import Sequence

from scripts.problem import Problem

__all__ = ["RECORDED", "asked"]

RECORDED = (7, 8, 9, 10)  # chapters that replay what was recorded once
FLAG = "--record"


def asked(arguments: Sequence[str]) -> tuple[list[str], list[int]]:
    """Notebooks to build, none for all, and chapters to record before that."""
    names = [word for word in arguments if word != FLAG]
    if FLAG not in arguments:
        return names, []
    numbers = [int(n) for name in names for n in re.findall(r"^\d+", name)]
    chapters = [number for number in RECORDED if number in numbers or not names]
    if not chapters:
        known = ", ".join(map(str, RECORDED))
        raise Problem(f"ONLY={' '.join(names)!r} has no recordings; use {known}.")
    return names, chapters
