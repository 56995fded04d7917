"""Runs one command of the project: `python3 -m scripts lab` (the Makefile does so).

This file alone must be readable for any Python 3.7 or newer: it looks for Python 3.11
and hands over to it, or says in one sentence what to install.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

OLDEST = (3, 11)
CANDIDATES = ("python3.11", "python3.12", "python3.13", "python3.14")
COMMANDS = ("lab", "test", "check", "book", "js", "readme", "pins", "overrides")


def find_python(which=shutil.which, call=subprocess.call):  # type: ignore[no-untyped-def]  # read by old Pythons
    """Path of a Python that is new enough, or None; each one found is tried."""
    for name in CANDIDATES:
        path = which(name)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        if path and call([path, "-c", "import venv"], **quiet) == 0:
            return path
    return None


def main(arguments):  # type: ignore[no-untyped-def]  # read by old Pythons
    """Run the command named first; the exit code is 1 after a sentence."""
    if sys.version_info[:2] < OLDEST:
        newer = find_python()
        if newer:
            os.execv(newer, [newer, "-m", "scripts", *arguments])
        print(
            "This is Python %d.%d and no newer one was found: " % sys.version_info[:2]
            + "install Python 3.11 or newer, then run the same command again.",
            file=sys.stderr,
        )
        return 1
    from scripts import commands

    return commands.main(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
