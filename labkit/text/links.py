"""Which addresses a model's answer may link to, and which it may load on sight.

Text that a model wrote is untrusted: a prompt injection may have written it. A link
waits for a click, an image is fetched as soon as it is painted and can carry data away
in its address, so the two are decided apart. Refuses by default whatever is not named.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

__all__ = ["LinkPolicy"]

_IMAGE_SCHEMES = frozenset({"http", "https"})


@dataclass(frozen=True, slots=True)
class LinkPolicy:
    """An allow-list; everything else is shown as text."""

    schemes: frozenset[str] = frozenset({"http", "https", "mailto"})
    allow_relative: bool = False  # addresses on the page's own host
    image_hosts: frozenset[str] | None = frozenset()  # None: any host, so data can leak

    def allows_link(self, url: str) -> bool:
        """May `url` be something to click on?"""
        parts = _split(url)
        if parts is None:
            return False
        if not parts.scheme:
            return self.allow_relative and not parts.netloc
        return parts.scheme in self.schemes

    def allows_image(self, url: str) -> bool:
        """May `url` be fetched without anyone asking for it?"""
        parts = _split(url)
        if parts is None or parts.scheme not in _IMAGE_SCHEMES:
            return False
        return self.image_hosts is None or host_of(url) in self.image_hosts


def host_of(url: str) -> str:
    """The host that a fetch of `url` would reach, "" where there is none."""
    parts = _split(url)
    return (parts and parts.hostname) or ""


def _split(url: str) -> SplitResult | None:
    """The parts of `url`, None where browsers might read it otherwise than we do."""
    if "\\" in url or any(ord(char) <= 0x20 for char in url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.hostname  # may raise too
    except ValueError:
        return None
    return parts
