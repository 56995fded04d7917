"""Runs other programs: output to a log file, one changing line to the terminal.

A log keeps everything, so that an error can be one sentence that names the file.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

__all__ = ["clear_line", "run_logged", "say", "show_line", "teller"]

EVERY_S = 15.0  # where a line cannot change, how often a new one is printed


def say(text: str) -> None:
    """Print one line for the reader at once."""
    print(text, flush=True)


def show_line(text: str) -> None:
    """Show `text` on one changing line; nothing where there is no terminal."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - 1
        print("\r\x1b[2K" + text[:width], end="", flush=True)


def teller(now: Callable[[], float] = time.monotonic) -> Callable[[str], None]:
    """Tells how a long run goes on: one changing line, or a new one now and then."""
    last_s = now()

    def tell(text: str) -> None:
        nonlocal last_s
        if sys.stdout.isatty():
            show_line(text)
        elif text and now() - last_s >= EVERY_S:
            last_s = now()
            say(f"  ... {text}")

    return tell


def clear_line() -> None:
    """Erase the changing line."""
    if sys.stdout.isatty():
        print("\r\x1b[2K", end="", flush=True)


def run_logged(
    command: Sequence[str | Path],
    log: Path,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> int:
    """Run `command`, its output to `log` and line by line to `on_line`; exit code.

    Without `on_line` the person at the terminal is told how it goes on.
    """
    tell = teller() if on_line is None else on_line
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("w", encoding="utf-8") as file,
        subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        assert process.stdout is not None, "stdout was asked for as a pipe"
        try:
            for line in process.stdout:
                file.write(line)
                file.flush()
                tell(line.strip())
        except BaseException:  # on Ctrl-C too the child process has to end
            process.terminate()
            raise
        finally:
            clear_line()
    return process.returncode
