"""What `make book` is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.book import RECORDED, asked
from scripts.problem import Problem

DATA = Path(__file__).resolve().parents[2] / "chapters" / "data"


def test_without_the_flag_nothing_is_recorded() -> None:
    assert asked(["9", "07_cache"]) == (["9", "07_cache"], [])


def test_all_recordings_are_made_anew_or_those_of_the_chapters_named() -> None:
    assert asked(["--record"]) == ([], list(RECORDED))
    assert asked(["10", "07_cache", "--record"]) == (["10", "07_cache"], [7, 10])


def test_a_chapter_without_recordings_is_refused() -> None:
    with pytest.raises(Problem, match="'06_tokens' has no recordings; use 7, 8"):
        asked(["06_tokens", "--record"])


def test_every_chapter_with_recordings_is_known() -> None:
    assert {int(path.name[:2]) for path in DATA.glob("*.json")} == set(RECORDED)
