"""Streamed Markdown: exact in the end, near it on the way, cheap where it can be."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from labkit.text.links import LinkPolicy
from labkit.text.markdown import BlockPatch, MarkdownStream, Strategy, render
from tests.support.splits import every_split

OPEN = LinkPolicy(allow_relative=True, image_hosts=None)
REFERENCE = MarkdownIt("commonmark", {"html": False}).enable("table")
DOCUMENTS = {
    "prose": "# Title\n\nOne *two* **three** `four`\nfive.\n\nSetext\n======\nlast",
    "lists": "- a\n- b\n\n  more b\n- c\n1. x\n2. y\n\n   - deep\n\n\nend\n",
    "fence": "text\n```py\nif a < b:\n\n    pass\n```\nafter\n\n    code\n\n    more\n",
    "quote": "> a\nlazy\n>\n> b\n***\n---\nend",
    "table": "intro\n\n| a | b |\n|---|---|\n| 1 | *2* |\n| 3 | 4 |\n\nafter",
    "definition": "[x] ![y]\n\n[x]: /u 't'\n\n- [x]\n\n[x]\n\n[y]: http://a.example",
    "escapes": "a <b>c</b> &amp; \\* &copy; <script>x</script>\n\n<div>\nd\n</div>",
    "line ends": "a\r\nb\r\r\nc\n\rd\0e\r\n\r\n- f\r- g",
    "breaks": "a  \nb\\\nc\n\n\n\n***x\n***\ny",
    "images": "![alt *x*](https://img.example/a.png 'title') [l](/r) <https://a.example>",
}
by_strategy = pytest.mark.parametrize("strategy", Strategy)


def streamed(pieces: list[str], strategy: Strategy) -> MarkdownStream:
    stream = MarkdownStream(strategy, OPEN)
    for piece in pieces:
        stream.feed(piece)
    return stream


def applied(blocks: list[str], patches: list[BlockPatch]) -> list[str]:
    """What a page shows after `patches`: the only thing that a page knows."""
    for patch in patches:
        blocks += [""] * (patch.index + 1 - len(blocks))
        blocks[patch.index] = patch.html
    return blocks


@pytest.mark.parametrize("name", DOCUMENTS)
def test_render_equals_markdown_it_where_everything_is_allowed(name: str) -> None:
    assert render(DOCUMENTS[name], OPEN) == REFERENCE.render(DOCUMENTS[name])


@by_strategy
@pytest.mark.parametrize("name", DOCUMENTS)
def test_patches_add_up_to_the_whole_for_every_split(
    name: str, strategy: Strategy
) -> None:
    whole = render(DOCUMENTS[name], OPEN)
    for pieces in every_split(DOCUMENTS[name]):
        stream, page = MarkdownStream(strategy, OPEN), list[str]()
        for piece in pieces:
            page = applied(page, stream.feed(piece))
            assert "".join(page) == stream.html
        page = applied(page, stream.flush())
        assert "".join(page) == stream.html == whole


FRAGMENTS = (
    "a|*|**|`|```|# |- |1. |> |    |  |---|===|b c|](http://a.b)|[|!|<i>|\\|&lt;"
)
fragments = st.sampled_from([*FRAGMENTS.split("|"), "|", "|-|-|\n", "\n", "\n\n", "\r"])


@settings(max_examples=100, deadline=None)
@given(st.lists(fragments, max_size=25))
def test_memo_is_exact_before_the_flush_while_nothing_is_defined_late(
    pieces: list[str],
) -> None:
    stream = MarkdownStream(Strategy.MEMO, OPEN)
    for i, piece in enumerate(pieces):
        stream.feed(piece)
        assert stream.html == render("".join(pieces[: i + 1]), OPEN)


@settings(max_examples=100, deadline=None)
@given(st.lists(fragments, max_size=25))
def test_whole_lines_are_exact_at_every_line_end(pieces: list[str]) -> None:
    stream = streamed(pieces, Strategy.LINES)
    stream.feed("\n")
    assert stream.html == render("".join(pieces) + "\n", OPEN)


def test_a_late_definition_reaches_finished_blocks_at_flush() -> None:
    pieces = ["[x]\n\n", "mid\n\n", "[x]: /u\n\n", "[x]\n\n", "end"]
    stream = streamed(pieces, Strategy.MEMO)
    link = '<a href="/u">x</a>'
    assert stream.html == f"<p>[x]</p>\n<p>mid</p>\n<p>{link}</p>\n<p>end</p>\n"
    patches = stream.flush()
    assert patches[0] == BlockPatch(0, f"<p>{link}</p>\n", True)
    assert [patch.index for patch in patches] == [0, 2, 3]


def test_the_first_of_two_definitions_wins_as_in_the_whole() -> None:
    text = "[x]: /one\n\na\n\n[x]: /two\n\n[x]\n\nend"
    stream = streamed([text[:12], text[12:20], text[20:]], Strategy.MEMO)
    assert stream.html == render(text, OPEN)


@by_strategy
def test_the_last_patch_of_each_block_is_final(strategy: Strategy) -> None:
    stream, is_final = MarkdownStream(strategy), dict[int, bool]()
    for piece in ["a\n\n", "b\n\n# c", "\nd", "\n"]:
        is_final |= {patch.index: patch.is_final for patch in stream.feed(piece)}
    is_final |= {patch.index: patch.is_final for patch in stream.flush()}
    assert is_final == dict.fromkeys(range(4), True)


def test_a_finished_block_is_final_before_the_end() -> None:
    stream = streamed(["a\n\nb"], Strategy.MEMO)
    assert stream.feed("\n") == [BlockPatch(0, "<p>a</p>\n", True)]
    assert [patch.index for patch in stream.flush()] == [1]


def test_a_block_that_turns_out_to_be_none_is_taken_away() -> None:
    stream = streamed(["a\n\n", "[x]:"], Strategy.MEMO)
    assert stream.feed(" /u") == [BlockPatch(1, "", False)]
    assert stream.html == "<p>a</p>\n"


def test_an_unfinished_line_is_plain_text_until_its_end() -> None:
    stream = MarkdownStream(Strategy.LINES)
    assert stream.feed("**a<") == [BlockPatch(0, "<p>**a&lt;</p>\n", False)]
    stream.feed("b**\n")
    assert stream.html == "<p><strong>a&lt;b</strong></p>\n"


@by_strategy
def test_an_empty_piece_costs_nothing(strategy: Strategy) -> None:
    stream = MarkdownStream(strategy)
    assert stream.feed("") == []
    assert stream.work.num_parses == 0
    assert stream.flush() == []


def test_full_reparse_of_n_pieces_parses_n_times_n_plus_1_over_2() -> None:
    stream = streamed(["ab\n\n"] * 200, Strategy.FULL)
    stream.flush()
    assert stream.work.num_chars_parsed == 4 * 20_100
    assert stream.work.num_parses == 200
    assert stream.work.num_blocks_written == 20_100


@pytest.mark.parametrize("strategy", [Strategy.MEMO, Strategy.LINES])
def test_keeping_finished_blocks_costs_in_proportion_to_the_text(
    strategy: Strategy,
) -> None:
    def chars_parsed(num_blocks: int) -> int:
        text = "some words\n\n" * num_blocks
        return streamed(list(text), strategy).work.num_chars_parsed

    assert chars_parsed(40) - chars_parsed(20) == chars_parsed(60) - chars_parsed(40)


def test_raw_html_and_forbidden_addresses_are_shown_as_text() -> None:
    text = "<img src=x onerror=alert(1)> [a](javascript:x) [b](/r) <data:text/html,x>"
    assert render(text) == (
        "<p>&lt;img src=x onerror=alert(1)&gt; [a](javascript:x) [b](/r) "
        "&lt;data:text/html,x&gt;</p>\n"
    )


def test_an_image_from_a_host_that_is_not_named_is_never_fetched() -> None:
    text = "![my <data>](https://evil.example/x.png?q=secret)"
    blocked = render(text)
    assert "<img" not in blocked
    assert "secret" not in blocked
    assert "evil.example" in blocked
    assert "my &lt;data&gt;" in blocked
    allowed = LinkPolicy(image_hosts=frozenset({"evil.example"}))
    assert '<img src="https://evil.example/x.png?q=secret"' in render(text, allowed)


@by_strategy
def test_no_moment_of_a_stream_shows_a_forbidden_image(strategy: Strategy) -> None:
    text = "a ![x](https://evil.example/?q=1) <img src=x onerror=alert(1)>\n\nb"
    for pieces in every_split(text):
        stream = MarkdownStream(strategy)
        shown = [p.html for piece in pieces for p in stream.feed(piece)]
        assert not [html for html in shown if "<img" in html]
