"""The index, twelve chapters and named appendices; anything else is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from labkit.book import start
from labkit.book.parts import Part, part_of
from labkit.errors import ConfigError

PARTS = {
    "07_cache": (Part(7), "07", "start(chapter=7)", "Chapter 7, layer cache"),
    "index": (Part("index"), "index", 'start(chapter="index")', "The book's index"),
    "appendix_speculation": (
        Part(appendix="speculation"),
        "speculation",
        'start(appendix="speculation")',
        "Appendix speculation",
    ),
}


@pytest.mark.parametrize("stem", PARTS)
def test_a_file_says_which_part_it_is_and_how_it_starts(stem: str) -> None:
    part, name, call, title = PARTS[stem]
    assert part_of(stem) == part
    assert (part.name, part.call, part.title) == (name, call, title)


@pytest.mark.parametrize("stem", PARTS)
def test_each_part_can_be_started(
    stem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    part, _, call, title = PARTS[stem]
    assert eval(call, {"start": start}).part == part
    assert capsys.readouterr().out.startswith(f"{title}, seed 0. Engine and server")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "chapter=None and appendix=None: give one"),
        ({"chapter": 7, "appendix": "a"}, "chapter=7 and appendix='a': give one"),
        ({"chapter": 0}, "chapter=0: the book has chapters 1 to 12"),
        ({"chapter": 13}, "chapter=13"),
        ({"chapter": True}, "chapter=True"),
        ({"chapter": "7"}, "chapter='7'"),
        ({"chapter": 7.0}, "chapter=7.0"),
        ({"chapter": [7]}, r"chapter=\[7\]"),
        ({"appendix": ""}, "appendix='': use small letters"),
        ({"appendix": "../x"}, "appendix='../x'"),
        ({"appendix": 3}, "appendix=3"),
    ],
)
def test_an_unknown_part_is_refused(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        start(**given)


@pytest.mark.parametrize("stem", ["notes", "7_cache", "13_more", "00_x", "appendix_"])
def test_a_file_that_is_no_part_is_refused(stem: str) -> None:
    with pytest.raises(ConfigError):
        part_of(stem)
