"""Runs one command of the project: `python3 -m scripts lab` (the Makefile does so).

This file alone must be readable for any Python 3.7 or newer: it looks for Python 3.11
and hands over to it, or says in one sentence what to install.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable

__all__ = ["find_python", "main"]

OLDEST = (3, 11)
CANDIDATES = ("python3.11", "python3.12", "python3.13", "python3.14")
COMMANDS = (
    "lab",
    "test",
    "check",
    "book",
    "js",
    "bench",
    "readme",
    "pins",
    "settings",
    "work",
)


def find_python(
    which: Callable[[str], str | None] = shutil.which,
    call: Callable[..., int] = subprocess.call,
) -> str | None:
    """Path of a Python that is new enough, or None; each one found is tried."""
    for name in CANDIDATES:
        path = which(name)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        if path and call([path, "-c", "import venv"], **quiet) == 0:
            return path
    return None


def main(arguments: list[str]) -> int:
    """Run the command named first; the exit code is 1 after a sentence."""
    if sys.version_info[:2] < OLDEST:
        newer = find_python()
        if newer:
            os.execv(newer, [newer, "-m", "scripts", *arguments])
        seen = ".".join(str(part) for part in sys.version_info[:2])
        print(
            f"This is Python {seen} and no newer one was found: "
            "install Python 3.11 or newer, then run the same command again.",
            file=sys.stderr,
        )
        return 1
    from scripts import commands  # noqa: PLC0415  # an old Python cannot read it

    commands.obey_signals()
    return commands.main(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
