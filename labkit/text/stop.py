"""Stop strings in a stream of text pieces, with as little look-back as possible.

Refuses an empty stop string. The invariant: text that may yet turn out to be the
beginning of a stop string is held, all else is out, and no stop string is ever shown.
"""

from __future__ import annotations

from collections.abc import Sequence

from labkit.errors import InputError

__all__ = ["StopMatcher"]


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
