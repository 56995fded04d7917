"""The commands behind `make`, one short function each; errors become one sentence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from types import FrameType

from scripts import bench, book, environment, lab, testing, working_copy
from scripts.problem import Problem
from scripts.shell import say

__all__ = ["COMMANDS", "ROOT", "main", "obey_signals"]

ROOT = Path(__file__).resolve().parent.parent
BOOK = ("book",)
ALL = ("book", "test")
FIRST_START = """\
The first start takes minutes, the next one seconds. It goes in four steps:
packages into .venv, the model's weights (98 MB), your copy of the chapters in work/,
and JupyterLab; then one URL is printed."""


def run(python: Path, *arguments: str) -> int:
    """Run the environment's Python from the project's root; its exit code."""
    return subprocess.call([python, *arguments], cwd=ROOT)


def start_lab(_: Sequence[str]) -> int:
    """Set up, fetch the weights, start JupyterLab and stay until it ends."""
    ip = os.environ.get("IP") or "127.0.0.1"
    wish = lab.read_port(os.environ.get("PORT", ""))
    lab.choose_port(wish, ip)  # a port that is taken is said before minutes of set-up
    if not (ROOT / ".venv").is_dir():
        say(FIRST_START)
    python = environment.ensure(ROOT, BOOK)
    lab.write_settings(ROOT / ".venv")
    lab.fetch_weights(ROOT, python)
    make_working_copy(())
    return lab.serve(ROOT, python, wish, ip)


def make_working_copy(_: Sequence[str]) -> int:
    """Make `work/`, or bring it up to date; RENEW=1 hands out edited chapters again."""
    is_anew = bool(os.environ.get("RENEW"))
    for line in working_copy.renew(ROOT, date.today(), anew=is_anew):  # noqa: DTZ011
        say(line)
    return 0


def run_tests(names: Sequence[str]) -> int:
    """Set up for tests and run the groups called `names`, or all."""
    python = environment.ensure(ROOT, ALL)
    return testing.run(ROOT, python, names)


def run_checks(_: Sequence[str]) -> int:
    """Formatting, lint and types."""
    python = environment.ensure(ROOT, ALL)
    return testing.run(ROOT, python, [c.name for c in testing.quick_checks(python)])


def build_book(arguments: Sequence[str]) -> int:
    """Build the notebooks from their sources; RECORD=1 runs slow runs anew first."""
    names, chapters = book.asked(arguments)
    python = environment.ensure(ROOT, BOOK)
    lab.fetch_weights(ROOT, python)
    for chapter in chapters:
        say(f"Recording chapter {chapter}; leave the machine to it.")
        if code := run(python, "-m", "scripts.record", str(chapter)):
            return code
    return run(python, "-m", "scripts.bookbuild", *names)


def build_js(_: Sequence[str]) -> int:
    """Build the widgets' JavaScript, even if it looks fresh."""
    return run(environment.ensure(ROOT, BOOK), "hatch_build.py", "--force")


def run_bench(arguments: Sequence[str]) -> int:
    """Measure against llama.cpp and transformers; KEEP=1 renews the README's table."""
    asked = bench.options(arguments)
    python = environment.ensure(ROOT, ALL)
    if not lab.fetch_weights(ROOT, python):
        raise Problem("Without weights nothing can be measured; see the line above.")
    code = bench.measure(ROOT, python, asked)
    if asked.keep:
        run(python, "-m", "scripts.generate")
    return code


def write_generated(_: Sequence[str]) -> int:
    """Write every generated file that has changed."""
    return run(Path(sys.executable), "-m", "scripts.generate")


def write_pins(_: Sequence[str]) -> int:
    """Write constraints.txt from the installed versions."""
    return run(environment.ensure(ROOT, ALL), "-m", "scripts.pins", str(ROOT))


def write_settings(_: Sequence[str]) -> int:
    """Settings for the environment that runs this (Binder's postBuild)."""
    lab.write_settings(Path(sys.prefix))
    return 0


Command = Callable[[Sequence[str]], int]
COMMANDS: Mapping[str, Command] = {
    "lab": start_lab,
    "test": run_tests,
    "check": run_checks,
    "book": build_book,
    "bench": run_bench,
    "js": build_js,
    "readme": write_generated,
    "pins": write_pins,
    "settings": write_settings,
    "work": make_working_copy,
}


def _stop(number: int, _: FrameType | None) -> None:
    """Leave by the ordinary way on SIGTERM or SIGHUP, so that clean-up runs."""
    raise KeyboardInterrupt(number)


def obey_signals() -> None:
    """Treat SIGTERM and SIGHUP as Ctrl-C."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGHUP, _stop)


def main(arguments: Sequence[str], known: Mapping[str, Command] = COMMANDS) -> int:
    """Run the command named first; 1 after a `Problem`, 130 after Ctrl-C."""
    name = arguments[0] if arguments else ""
    if name not in known:
        print(f"No command {name!r}; there are: {', '.join(known)}.", file=sys.stderr)
        return 2
    try:
        return known[name](arguments[1:])
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say(f"\nStopped. `make {name}` goes on from here.")
        return 130
