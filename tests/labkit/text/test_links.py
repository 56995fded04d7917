"""Which addresses pass, for clicks and for images."""

from __future__ import annotations

import pytest

from labkit.text.links import LinkPolicy, host_of

DEFAULT = LinkPolicy()
OPEN = LinkPolicy(allow_relative=True, image_hosts=None)


@pytest.mark.parametrize(
    "url",
    ["https://example.org/a?b#c", "http://[::1]/", "mailto:a@b.example", "HTTPS://X"],
)
def test_links_with_an_allowed_scheme_pass(url: str) -> None:
    assert DEFAULT.allows_link(url)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "java\tscript:alert(1)",
        "\x01javascript:alert(1)",
        " javascript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "//evil.example/x",
        "/\\evil.example",
        "http://[broken",
        "https://ex\nample.org",
    ],
)
def test_everything_else_is_refused_even_where_relative_links_pass(url: str) -> None:
    assert not DEFAULT.allows_link(url)
    assert not OPEN.allows_link(url)
    assert not OPEN.allows_image(url)


@pytest.mark.parametrize("url", ["/path", "page.html#part", "#part", "?q=1"])
def test_relative_links_pass_where_the_page_says_so(url: str) -> None:
    assert OPEN.allows_link(url)
    assert not DEFAULT.allows_link(url)
    assert not OPEN.allows_image(url)


def test_images_are_fetched_from_named_hosts_only() -> None:
    policy = LinkPolicy(image_hosts=frozenset({"img.example"}))
    assert policy.allows_image("https://img.example/a.png")
    assert not policy.allows_image("https://img.example.evil.example/a.png")
    assert not policy.allows_image("https://img.example@evil.example/a.png")
    assert not DEFAULT.allows_image("https://img.example/a.png")
    assert OPEN.allows_image("https://anywhere.example/a.png")


def test_host_is_empty_where_there_is_none() -> None:
    assert host_of("https://user@Host.example:8/x") == "host.example"
    assert host_of("mailto:a@b.example") == ""
    assert host_of("http://[broken") == ""
