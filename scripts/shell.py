"""Runs other programs: output to a log file, one changing line to the terminal.

A log keeps everything, so that an error can be one sentence that names the file.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

__all__ = ["clear_line", "run_logged", "say", "show_line"]


def say(text: str) -> None:
    """Print one line for the reader at once."""
    print(text, flush=True)


def show_line(text: str) -> None:
    """Show `text` on one changing line; nothing where no person is watching."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - 1
        print("\r\x1b[2K" + text[:width], end="", flush=True)


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
    on_line: Callable[[str], None] = show_line,
) -> int:
    """Run `command`, its output to `log` and line by line to `on_line`; exit code."""
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
                on_line(line.strip())
        except BaseException:  # on Ctrl-C too the child process has to end
            process.terminate()
            raise
        finally:
            clear_line()
    return process.returncode
