"""`start(chapter=10)`: the first line of every chapter.

It imports no torch, opens no connection and starts nothing, so that the first figure,
from a recording, is there at once.
"""

from __future__ import annotations

import sys

from labkit.book.hosts import find_host, prepare
from labkit.book.lab import Lab
from labkit.clock import SystemClock
from labkit.errors import ConfigError
from labkit.records import Layer

__all__ = ["start"]


def start(chapter: int, *, seed: int = 0, server: str | None = None) -> Lab:
    """The handle for `chapter`; `server` is the URL of a server that runs already."""
    layers = {layer.chapter: layer for layer in Layer}
    if chapter not in layers:
        raise ConfigError(f"chapter={chapter!r}: the book has chapters 1 to 12")
    prepare(find_host())
    sys.stdout.write(
        f"Chapter {chapter}, layer {layers[chapter]}, seed {seed}. Engine and server "
        "start when a cell first needs them.\n"
    )
    return Lab(chapter, SystemClock(), seed=seed, server_url=server)
