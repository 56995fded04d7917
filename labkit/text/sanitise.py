"""HTML that a model wrote, made safe to insert into a page.

Sanitise the whole text so far, never a piece of it: a piece is not a document, and a
tag cut in two is none of the things that a filter knows. Refuses scripts, handlers,
styles and every address that the policy does not name. No text is lost: whatever is
not a whole, harmless tag (`<path>`, `vector<int>`, a script) is shown as it is written,
where the filter alone would delete it with the rest of its block.
"""

from __future__ import annotations

import re

import nh3

from labkit.text.links import LinkPolicy

# A "<", and the name of the tag where a whole one begins there.
_OPENING = re.compile(
    r"""<(?=/?(?P<name>[A-Za-z][A-Za-z0-9]*)(?:[\s/](?:[^<>"']|"[^"]*"|'[^']*')*)?>)|<"""
)

__all__ = ["sanitise_html"]


def sanitise_html(text: str, policy: LinkPolicy | None = None) -> str:
    """`text` as HTML with only harmless tags and attributes left."""
    allowed = policy or LinkPolicy()

    def keep(tag: str, attribute: str, value: str) -> str | None:
        if attribute == "src":
            return value if allowed.allows_image(value) else None
        if attribute in ("href", "cite"):
            return value if allowed.allows_link(value) else None
        return value

    return nh3.clean(_OPENING.sub(_escaped, text), attribute_filter=keep)


def _escaped(found: re.Match[str]) -> str:
    """The "<" of a harmless tag as it is, every other one as text."""
    return "<" if (found["name"] or "").lower() in nh3.ALLOWED_TAGS else "&lt;"
