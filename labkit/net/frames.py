"""Bytes of an event stream → raw frames, cut after each blank line and nowhere else.

Nothing is lost or changed: the frames and `rest` joined are the bytes that came in.
A frame is out as soon as its blank line is in, under every split of the bytes.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["FrameSplitter"]

# A line end, kept whole, and another one right after it.
_BLANK_LINE: Final = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")


class FrameSplitter:
    """Push parser: `feed(piece) -> list[bytes]`, `flush() -> list[bytes]`.

    A CR LF that arrives in two halves leaves its LF at the start of the next frame.
    """

    def __init__(self) -> None:
        self._held = b""
        self._is_after_cr = False  # the frame before ended with the last byte, a CR

    @property
    def rest(self) -> bytes:
        """Bytes of the frame that is not complete yet."""
        return self._held

    def feed(self, piece: bytes) -> list[bytes]:
        """The frames that `piece` completes."""
        self._held += piece
        frames: list[bytes] = []
        while match := _BLANK_LINE.search(self._held, self._start()):
            frames.append(self._held[: match.end()])
            self._held = self._held[match.end() :]
            self._is_after_cr = frames[-1].endswith(b"\r")
        return frames

    def _start(self) -> int:
        """Where to look from: half a line end at the very start is none."""
        return int(self._is_after_cr and self._held.startswith(b"\n"))

    def flush(self) -> list[bytes]:
        """End of the stream: what is left is no frame; it stays in `rest`."""
        return []
