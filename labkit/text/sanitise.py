"""HTML that a model wrote, made safe to insert into a page.

Sanitise the whole text so far, never a piece of it: a piece is not a document, and a
tag cut in two is none of the things that a filter knows. Refuses scripts, handlers,
styles and every address that the policy does not name.
"""

from __future__ import annotations

import nh3

from labkit.text.links import LinkPolicy

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

    return nh3.clean(text, attribute_filter=keep)
