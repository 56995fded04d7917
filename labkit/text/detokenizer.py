"""Token ids to text, one id at a time, never half a character.

Refuses nothing: bytes that are not UTF-8 come out as U+FFFD. The invariant: all pieces
fed plus the final `flush()` join to exactly the text of all bytes decoded at once.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable

__all__ = ["StreamDetokenizer"]


class StreamDetokenizer:
    """Turns token ids into text that may be shown at once.

    A byte-level token can end in the middle of a character; its last bytes are then
    held until the next token completes them.
    """

    def __init__(self, token_bytes: Callable[[int], bytes]) -> None:
        self._token_bytes = token_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, token_id: int) -> str:
        """The characters that this token completes, often none."""
        return self._decoder.decode(self._token_bytes(token_id))

    def flush(self) -> str:
        """What is still held, as U+FFFD; afterwards nothing is held."""
        text = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return text

    @property
    def num_held(self) -> int:
        """Bytes waiting for the rest of their character, 0 to 3."""
        held, _ = self._decoder.getstate()
        return len(held)
