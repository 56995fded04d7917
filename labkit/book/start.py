"""`start(chapter=10)`: the first line of every chapter.

It imports no torch, opens no connection and starts nothing, so that the first figure,
from a recording, is there at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from IPython.core.getipython import get_ipython

from labkit.book.gate import Gate
from labkit.book.hosts import find_host, is_unlocked, prepare
from labkit.book.kernel import load_ipython_extension
from labkit.book.lab import Lab
from labkit.book.parts import Part
from labkit.book.progress_file import ProgressFile
from labkit.book.serving import Serving
from labkit.clock import SystemClock

__all__ = ["start"]


def start(
    chapter: int | Literal["index"] | None = None,
    *,
    appendix: str | None = None,
    seed: int = 0,
    server: str | None = None,
) -> Lab:
    """The handle for a chapter, the index or an appendix.

    `server` is the URL of a server that runs already.
    """
    part = Part(chapter, appendix)
    prepare(find_host())
    shell = get_ipython()
    is_open = shell is None or is_unlocked()
    gate = Gate(is_unlocked=is_open, shell=shell)
    gate.install()
    if shell is not None:
        load_ipython_extension(shell)
    kept = ProgressFile(None if is_open else Path.cwd())
    sys.stdout.write(
        f"{part.title}, seed {seed}. Engine and server start when a cell first needs "
        "them.\n"
    )
    clock = SystemClock()
    return Lab(part, clock, Serving(clock, server), seed=seed, gate=gate, kept=kept)
