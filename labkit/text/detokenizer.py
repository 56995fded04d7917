"""Token ids to text that may be shown: no half characters and no stop strings.

Bytes that are not UTF-8 come out as U+FFFD, and an empty stop string is refused. The
invariants: without stops, all pieces fed plus the final `flush()` join to exactly the
text of all bytes decoded at once; with them, text that may yet turn out to begin a
stop string is held, all else is out, and no stop string is ever shown.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence

from labkit.errors import InputError

__all__ = ["StopMatcher", "StreamDetokenizer"]


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


class StopMatcher:
    """Passes text through until one of `stops` is complete, then swallows the rest.

    The stop that completes first wins; of two that complete with the same character,
    the one listed first.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        if not all(stops):
            raise InputError(
                f"stop={list(stops)!r}: a stop string cannot be empty", param="stop"
            )
        self._stops = tuple(stops)
        self._longest = max(map(len, self._stops), default=0)
        self.matched: str | None = None
        self.held = ""

    def feed(self, piece: str) -> str:
        """The text that is now safe to show; empty once a stop has matched."""
        if not self._stops:
            return piece
        if self.matched is not None:
            return ""
        text = self.held + piece
        hit = self._first_hit(text)
        if hit is not None:
            end, stop = hit
            self.matched, self.held = stop, ""
            return text[: end - len(stop)]
        cut = len(text) - self._num_to_hold(text)
        self.held = text[cut:]
        return text[:cut]

    def flush(self) -> str:
        """The held text: no more input will come, so it was no stop string."""
        text, self.held = self.held, ""
        return text

    def _first_hit(self, text: str) -> tuple[int, str] | None:
        """End of the earliest complete stop string in `text`, and which one it is."""
        hits = [(text.find(s) + len(s), s) for s in self._stops if s in text]
        return min(hits, key=lambda hit: hit[0], default=None)  # ties: list order

    def _num_to_hold(self, text: str) -> int:
        """Length of the longest end of `text` that begins some stop string."""
        for length in range(min(len(text), self._longest - 1), 0, -1):
            if any(stop.startswith(text[-length:]) for stop in self._stops):
                return length
        return 0
