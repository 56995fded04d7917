"""HTML from a model: what stays, what goes, and why pieces cannot be sanitised."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.text.links import LinkPolicy
from labkit.text.sanitise import sanitise_html
from tests.support.splits import every_split

ATTACK = "<img src=x onerror=alert(1)>"


def test_harmless_markup_stays() -> None:
    assert sanitise_html("<p>a <b>b</b> &lt; c</p>") == "<p>a <b>b</b> &lt; c</p>"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (ATTACK, "<img>"),
        ("<script>alert(1)</script>x", "&lt;script&gt;alert(1)&lt;/script&gt;x"),
        ("<STYLE>b{}</STYLE>", "&lt;STYLE&gt;b{}&lt;/STYLE&gt;"),
        ('<p onclick="x()" style="color:red">a</p>', "<p>a</p>"),
        ('<a href="javascript:x">a</a>', '<a rel="noopener noreferrer">a</a>'),
        ('<blockquote cite="data:x">a</blockquote>', "<blockquote>a</blockquote>"),
        ('<img src="https://evil.example/?q=secret" alt="a">', '<img alt="a">'),
    ],
)
def test_what_could_run_or_leak_goes(text: str, left: str) -> None:
    assert sanitise_html(text) == left


def test_addresses_that_the_policy_names_stay() -> None:
    policy = LinkPolicy(image_hosts=frozenset({"img.example"}))
    image = '<img src="https://img.example/a.png">'
    assert sanitise_html(image, policy) == image
    assert 'href="https://a.example"' in sanitise_html(
        '<a href="https://a.example">a</a>'
    )


def test_the_accumulated_text_is_safe_at_every_moment() -> None:
    for i in range(len(ATTACK) + 1):
        left = sanitise_html(ATTACK[:i])
        assert left in ("<img>", ATTACK[:i].replace("<", "&lt;"))


def test_sanitising_pieces_gives_another_page_than_sanitising_the_whole() -> None:
    text = "<b>bold</b>" + ATTACK
    for pieces in (
        ["<b>bo", "ld</b>" + ATTACK],
        ["<b>bold</b><img src=x ", ATTACK[11:]],
    ):
        assert "".join(pieces) == text
        assert "".join(map(sanitise_html, pieces)) != sanitise_html(text)


def test_a_filter_that_looks_at_pieces_is_blind_to_a_tag_cut_in_two() -> None:
    def drop_images(text: str) -> str:
        return text if "<img" not in text or ">" not in text else "[image]"

    passed = [s for s in every_split(ATTACK) if "".join(map(drop_images, s)) == ATTACK]
    assert len(passed) > len(ATTACK) / 2
    assert drop_images(ATTACK) == "[image]"


@pytest.mark.parametrize(
    "text",
    [
        "open <path> and read the rest",
        "<p>a vector<int> of <T>s, then more</p>",
        "<math><mi>x</mi></math> and <svg><g>y</g></svg> here",
        "if a <b and c",
        "<b title='a>b' the end",
        "<!-- note --> after <?php echo ?> and <![CDATA[data]]> end",
        "<plaintext>all of this",
    ],
)
def test_no_text_is_lost_after_what_is_no_harmless_tag(text: str) -> None:
    words = re.findall(r"\w+", re.sub(r"</?p>", "", text))
    shown = unescape(sanitise_html(text))
    assert [word for word in words if word not in shown] == []


def test_a_tag_may_hold_other_brackets_in_its_attributes() -> None:
    assert sanitise_html('<b title="a>b">x</b>') == '<b title="a&gt;b">x</b>'


TAGS = "< > </ /> <b <p <path <svg> <script> </script> <!-- --> <? <style> <td>"
REST = "\" ' = & <table> <img onerror=alert(1) w1w w2w"
fragments = st.lists(st.sampled_from([" ", *TAGS.split(), *REST.split()]), max_size=20)


@settings(max_examples=200, deadline=None)
@given(fragments)
def test_cleaning_twice_is_cleaning_once_and_nothing_can_run(pieces: list[str]) -> None:
    left = sanitise_html("".join(pieces))
    tags = re.findall(r"<[^>]*>", left)
    assert not [tag for tag in tags if re.search("script|style|svg|onerror=", tag)]
    assert sanitise_html(left) == left
