"""No text is lost: not at any depth, not in tables, in no strategy, at no moment."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from labkit.text.markdown import MarkdownStream, Strategy, render

WORD = re.compile(r"w\d+w")
MARKUP = "*** --- === ``` ~~~ ` * ** _ \\ & &amp; < > <i> </i> <path> <!-- --> <? [ ]"
LINKS = "![ ](http://a.b) ](/x ) ( http://a.b | |-|-|\n"
BLANK = [
    "- ",
    "* ",
    "1. ",
    "> ",
    "# ",
    "  ",
    "    ",
    "\t",
    "\n",
    "\n\n",
    "\r",
    ' "',
    '")',
]
words = st.integers(0, 99).map("w{}w".format)
sources = st.lists(
    words | st.sampled_from([*MARKUP.split(), *LINKS.split(" "), *BLANK]) | words,
    max_size=40,
)
by_strategy = pytest.mark.parametrize("strategy", Strategy)


def lost(source: str, html: str) -> set[str]:
    """Words of `source` that are not in `html`."""
    return set(WORD.findall(source)) - set(WORD.findall(unescape(html)))


def nested(mark: str, depth: int) -> str:
    return mark * depth + "w1w\n\nw2w"


def stairs(depth: int) -> str:
    steps = (f"{'  ' * i}- w{i}w\n" for i in range(depth))
    return "".join(steps) + "\nw999w"


@by_strategy
@settings(max_examples=60, deadline=None)
@given(pieces=sources)
@example(pieces=["> "] * 60 + ["w1w"])
@example(pieces=["- "] * 30 + ["w1w", "\n\n", "w2w"])
@example(pieces=["![", "w1w ", "`", "w2w", "`", "](http://a.b)"])
def test_every_word_is_shown_at_every_moment(
    strategy: Strategy, pieces: list[str]
) -> None:
    stream = MarkdownStream(strategy)
    for i, piece in enumerate(pieces):
        stream.feed(piece)
        assert lost("".join(pieces[: i + 1]), stream.html) == set()
    stream.flush()
    assert lost("".join(pieces), stream.html) == set()


@pytest.mark.parametrize("depth", [9, 10, 20, 21, 40, 400])
@pytest.mark.parametrize("mark", ["> ", "- ", "1. ", "> - ", "* > "])
def test_nesting_has_no_depth_at_which_text_vanishes(mark: str, depth: int) -> None:
    assert lost(nested(mark, depth), render(nested(mark, depth))) == set()


@pytest.mark.parametrize("depth", [10, 19, 20, 21, 60])
def test_a_list_in_a_list_in_a_list_keeps_all_its_items(depth: int) -> None:
    html = render(stairs(depth))
    assert lost(stairs(depth), html) == set()
    assert html.endswith("<p>w999w</p>\n")
    assert html.count("<li>") == min(depth, 19)


def test_cells_without_a_column_stay_in_the_last_one() -> None:
    html = render("| a | b |\n|---|---|\n| 1 | `x|y` | 3 |\n| 1 |\n> | 4 |")
    assert "<td><code>x|y</code> | 3</td>" in html
    assert html.count("<td>") == 4


def test_a_table_in_a_list_keeps_its_cells_too() -> None:
    html = render("- | a | b |\n  |---|---|\n  | 1 | 2 | 3 |\n")
    assert "<td>2 | 3</td>" in html


def test_a_row_needs_no_outer_pipes() -> None:
    html = render("a | b\n---|---\n1 | 2 | 3\n| 4 | 5\n6 | 7 |\n|\n")
    assert "<td>2 | 3</td>" in html
    assert html.count("<td>") == 8


def test_what_follows_the_language_of_a_fence_is_its_title() -> None:
    html = render('```py file="a.py"\npass\n```')
    assert 'class="language-py"' in html
    assert 'title="file=&quot;a.py&quot;"' in html


def test_a_blocked_image_keeps_its_title() -> None:
    html = render('![a](https://evil.example/i.png "of <x>")')
    assert 'title="not loaded: evil.example (of &lt;x&gt;)">a</span>' in html
