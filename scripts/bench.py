"""Sets up what `make bench` compares with, then measures.

llama.cpp is compiled on this machine, for this processor's instructions, into an
environment of its own under .cache/bench; a stamp says for which processor, so that a
second run compiles nothing. Without it the run goes on, says so, and fails at the end.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from scripts.environment import clean_env, failed
from scripts.problem import Problem
from scripts.shell import run_logged, say, show_line

__all__ = [
    "PIN",
    "Progress",
    "ensure_llama_cpp",
    "llama_python",
    "measure",
    "options",
    "wanted",
]

PIN = "llama-cpp-python==0.3.36"
FLAGS = "-DGGML_NATIVE=ON -DLLAVA_BUILD=OFF"
COMPILERS = ("c++", "g++", "clang++")
PATIENCE_S = 20.0  # to end the contenders' processes

Run = Callable[..., int]
Which = Callable[[str], str | None]


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """What `make bench` was asked for; rows, and the rest as tests.bench takes it."""
    parser = argparse.ArgumentParser("make bench")
    parser.add_argument("rows", nargs="*")
    parser.add_argument("--rounds", default="5")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--no-fail", action="store_true")
    found = parser.parse_args(arguments)
    if not found.rounds.isdecimal() or int(found.rounds) < 1:
        raise Problem(f"ROUNDS={found.rounds}: use a whole number above 0.")
    if found.keep and found.rows:
        raise Problem("KEEP=1 keeps a whole run for the README: leave ONLY= out.")
    return found


def processor(info: Path = Path("/proc/cpuinfo")) -> str:
    """What a native build is made for: the processor's name and instructions."""
    try:
        lines = info.read_text(encoding="utf-8").splitlines()
    except OSError:
        return " ".join(os.uname())
    kinds = ("model name", "flags", "Features")
    return "\n".join(sorted({line for line in lines if line.startswith(kinds)}))


def wanted(cpu: str) -> str:
    """The stamp of a build: what, how, by which Python, for which processor."""
    sign = hashlib.sha256(cpu.encode()).hexdigest()[:16]
    return "\n".join([PIN, FLAGS, sys.version.split()[0], sys.base_prefix, sign, ""])


def ensure_llama_cpp(
    root: Path, run: Run = run_logged, which: Which = shutil.which
) -> Path:
    """Path of a Python that has llama.cpp, compiled if need be; `Problem` if not."""
    home = root / ".cache" / "bench"
    venv, stamp = home / "llama_cpp", home / "llama_cpp.txt"
    python, now = venv / "bin" / "python", wanted(processor())
    if stamp.exists() and stamp.read_text(encoding="utf-8") == now and python.exists():
        return python
    if not any(which(name) for name in COMPILERS):
        raise Problem(
            "There is no C++ compiler to build llama.cpp with: install one "
            "(Debian: apt install g++) and run `make bench` again."
        )
    stamp.unlink(missing_ok=True)
    shutil.rmtree(venv, ignore_errors=True)
    log = root / ".cache" / "setup" / "llama_cpp.log"
    say(f"Compiling {PIN} for this processor (about ten minutes, once) ...")
    if run([sys.executable, "-m", "venv", venv], log, cwd=root):
        raise failed("Making an environment for llama.cpp failed", log, root)
    pip = [python, "-m", "pip", "install", "-v", "--disable-pip-version-check"]
    # pip's cache could hold a build for another processor
    fresh = ["--no-cache-dir", "--no-binary", "llama-cpp-python"]
    env = {**clean_env(), "CMAKE_ARGS": FLAGS, "FORCE_CMAKE": "1"}
    if run([*pip, *fresh, PIN], log, env=env, on_line=Progress()):
        shutil.rmtree(venv, ignore_errors=True)
        raise failed(f"Building {PIN} failed", log, root)
    stamp.write_text(now, encoding="utf-8")
    return python


class Progress:
    """Shows how far the compiler is: a changing line, or a line each tenth."""

    def __init__(self, tell: Callable[[str], None] = say) -> None:
        self._tell = tell
        self._tenth = 0

    def __call__(self, line: str) -> None:
        """One line of pip's output."""
        found = re.search(r"\[(\d+)/(\d+)\]", line)
        if found is None:
            return
        done, total = int(found[1]), int(found[2])
        show_line(f"compiling llama.cpp: {done} of {total} files")
        if not sys.stdout.isatty() and 10 * done // total > self._tenth:
            self._tenth = 10 * done // total
            self._tell(f"compiling llama.cpp: {done} of {total} files")


def llama_python(
    root: Path, ensure: Callable[[Path], Path] = ensure_llama_cpp
) -> list[str]:
    """How tests.bench is told of llama.cpp; nothing, after a sentence, without it."""
    try:
        return ["--llama-python", str(ensure(root))]
    except Problem as problem:
        say(f"{problem}\nUntil then its rows say: not measured.")
        return []


def measure(
    root: Path,
    python: Path,
    asked: argparse.Namespace,
    peer: Callable[[Path], list[str]] = llama_python,
) -> int:
    """Run tests.bench to its end; Ctrl-C ends it and its processes in order."""
    words = [*asked.rows, "--rounds", asked.rounds, *peer(root)]
    words += [f"--{name}" for name in ("keep", "no-fail") if getattr(asked, _var(name))]
    only = [f'ONLY="{" ".join(asked.rows)}"'] if asked.rows else []
    command = " ".join(["make bench", *only, f"ROUNDS={asked.rounds}"])
    process = subprocess.Popen(
        [python, "-m", "tests.bench", *words, "--command", command],
        cwd=root,
        start_new_session=True,  # Ctrl-C reaches us first; we pass it on once
    )
    try:
        return process.wait()
    except BaseException:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise


def _var(name: str) -> str:
    return name.replace("-", "_")
