"""The book's map links what is written and says what is not."""

from __future__ import annotations

import re

import pytest

from labkit.figures.path_map import (
    QUESTIONS,
    Stop,
    as_html,
    as_markdown,
    as_text,
    layer_stop,
)
from labkit.records import Layer

CACHE = layer_stop(Layer.CACHE, "07_cache.ipynb", 40, "2 of 3 guesses")
TOOLS = layer_stop(Layer.TOOLS, None, None)
EXTRA = Stop("Appendix a", "Copying & more", None, "appendix_a.ipynb")


def test_every_layer_has_a_question() -> None:
    assert list(QUESTIONS) == list(Layer)


def test_a_written_stop_is_a_link_with_its_minutes_and_what_is_done() -> None:
    for text in (as_html([CACHE]), as_markdown([CACHE])):
        assert "07_cache.ipynb" in text
        assert "40 minutes · 2 of 3 guesses" in text
    assert '<a href="07_cache.ipynb">7 · Cache</a>' in as_html([CACHE])
    assert "[7 · Cache](07_cache.ipynb)" in as_markdown([CACHE])


@pytest.mark.parametrize("write", [as_html, as_markdown, as_text])
def test_a_stop_without_a_notebook_says_so_and_is_no_link(write: object) -> None:
    assert callable(write)
    text = write([TOOLS])
    assert "not written yet" in text
    assert "href" not in text
    assert "](" not in text


def test_the_way_down_the_way_up_and_the_appendices_are_apart() -> None:
    lanes = re.findall(r"<p>(.)", as_html([CACHE, TOOLS, EXTRA]))
    assert lanes == ["↓", "↑", "B"]
    assert len(re.findall("<p>", as_html([TOOLS]))) == 1


def test_what_a_title_holds_is_escaped() -> None:
    assert "Copying &amp; more" in as_html([EXTRA])
    assert as_text([EXTRA]) == "Appendix a: Copying & more ()"
