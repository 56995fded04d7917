"""The one error of the set-up scripts: a sentence for the reader, with the remedy.

Anything else that escapes is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

__all__ = ["Problem"]


class Problem(Exception):
    """Something that the reader can put right; the text says what and how."""
