"""Runs all checks of the project in groups, fast ones first, with one summary.

Every group runs even where an earlier one failed; the exit code is 0 only where all
passed. A group that cannot run counts as failed: nothing is skipped silently. The
browser's tests mostly wait, so they run beside other groups, and their output is shown
when their turn comes; a group that measures time runs alone.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from scripts import browser, environment, lab
from scripts.problem import Problem
from scripts.shell import say

__all__ = ["Check", "Result", "all_checks", "quick_checks", "run", "summary"]

GATED = (
    *(f"labkit/{name}.py" for name in ("errors", "clock", "config", "sequence")),
    *(f"labkit/{name}.py" for name in ("trace", "__init__")),
    "labkit/records/*",
    "labkit/text/*",
    "labkit/cache/*",
    "labkit/dialects/*",
)
SHARED_ENV = {
    "JUPYTER_PREFER_ENV_PATH": "1",  # kernels of .venv, not of the user's home
    "OMP_WAIT_POLICY": "PASSIVE",  # browser, kernel and server share two cores
}
SOLVED = ".cache/solved"  # the chapters with their solutions as code
PREPARE: tuple[str, ...] = ("weights", "client", "chromium")


@dataclass(frozen=True, slots=True)
class Check:
    """One group: commands that run in order until one fails."""

    name: str
    commands: tuple[tuple[str, ...], ...]
    env: Mapping[str, str] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()  # of PREPARE
    starts_early: bool = False  # beside the groups before it
    is_alone: bool = False  # none runs beside it


@dataclass(frozen=True, slots=True)
class Result:
    """How a group went."""

    name: str
    passed: bool
    wall_s: float
    reason: str = ""  # why it could not run
    output: str = ""  # what it printed while others had the terminal


class Do(Protocol):
    """Carries out one group."""

    def __call__(self, root: Path, check: Check, *, is_shown: bool) -> Result:
        """Run `check` and say how it went."""


def quick_checks(python: Path) -> list[Check]:
    """What `make check` runs."""
    tool = (str(python), "-m")
    return [
        Check("format", ((*tool, "ruff", "format", "--check", "."),)),
        Check("lint", ((*tool, "ruff", "check", "."),)),
        Check("types", ((*tool, "mypy"),)),
    ]


def pytest(python: Path, *arguments: str) -> tuple[str, ...]:
    """A pytest command that shows its slowest tests."""
    return (str(python), "-m", "pytest", "-q", "--durations=5", *arguments)


def covered(name: str) -> dict[str, str]:
    """Environment that keeps a group's coverage data apart."""
    return {"COVERAGE_FILE": f".cache/coverage/.coverage.{name}"}


def all_checks(python: Path) -> list[Check]:
    """Every group in the order it runs; paths are relative to the project's root."""
    cov = ("--cov", "--cov-report=", "-m", "not browser")
    elsewhere = [f"--ignore=tests/{name}" for name in ("rules", "scripts", "server")]
    weights = frozenset({"weights"})
    return [
        *quick_checks(python),
        Check("rules", (pytest(python, "tests/rules", "tests/scripts"),)),
        Check(
            "unit",
            (pytest(python, "tests", *elsewhere, *cov),),
            env=covered("unit"),
            needs=weights,
        ),
        Check(
            "server",
            (pytest(python, "tests/server", *cov),),
            env=covered("server"),
            needs=frozenset({"weights", "client"}),
            is_alone=True,
        ),
        Check(
            "coverage",
            coverage(python),
            env={"COVERAGE_FILE": ".cache/coverage/.coverage"},
        ),
        Check(
            "browser",
            (pytest(python, "tests", "-m", "browser"),),
            needs=frozenset({"weights", "chromium"}),
            starts_early=True,
        ),
        Check("chapters", notebooks(python), needs=weights, is_alone=True),
    ]


def coverage(python: Path) -> tuple[tuple[str, ...], ...]:
    """Join the data of unit and server tests; show it all, then gate the base."""
    tool = (str(python), "-m", "coverage")
    report = (*tool, "report", "--skip-covered", "--skip-empty")
    gate = (
        *report,
        "--show-missing",
        "--fail-under=100",
        f"--include={','.join(GATED)}",
    )
    return ((*tool, "combine", "--keep", ".cache/coverage"), report, gate)


def notebooks(python: Path) -> tuple[tuple[str, ...], ...]:
    """Run every chapter again with its solutions; marked outputs must be equal."""
    names = sorted(path.name for path in Path("chapters").glob("*.ipynb"))
    # no chapter at all must fail, so the folder stands in for the missing files
    chapters = [f"{SOLVED}/{name}" for name in names] or [SOLVED]
    write = (str(python), "-m", "scripts.bookbuild.solutions", SOLVED)
    flags = ("--nbval-lax", "--nbval-cell-timeout=300", "-p", "no:cacheprovider")
    return (write, pytest(python, *flags, *chapters))


def prepare(root: Path, python: Path, needs: frozenset[str]) -> dict[str, str]:
    """Prepare what the groups need, and return what is missing with the reason."""
    failed: dict[str, str] = {}
    if "weights" in needs and not lab.fetch_weights(root, python):
        failed["weights"] = "The model's weights cannot be had; see the line above."
    try:
        if "client" in needs:
            environment.ensure_second_client(root, python)
    except Problem as problem:
        failed["client"] = str(problem)
    try:
        if "chromium" in needs:
            browser.ensure_browser(root)
    except Problem as problem:
        failed["chromium"] = str(problem)
    return failed


def run_check(root: Path, check: Check, *, is_shown: bool = True) -> Result:
    """Run one group; its output goes to the terminal, or into the result."""
    started = time.monotonic()
    env = {**os.environ, **SHARED_ENV, **check.env}
    with tempfile.TemporaryFile() as file:
        passed = all(
            subprocess.call(
                command,
                cwd=root,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=None if is_shown else file,
                stderr=None if is_shown else file,
            )
            == 0
            for command in check.commands
        )
        wall_s = time.monotonic() - started
        file.seek(0)
        output = file.read().decode(errors="replace")
    return Result(check.name, passed, wall_s, output=output)


class Groups:
    """Runs groups in their order, those that may start early beside the others."""

    def __init__(self, root: Path, do: Do, pool: ThreadPoolExecutor) -> None:
        self._root = root
        self._do = do
        self._pool = pool
        self._early: dict[str, Future[Result]] = {}

    def start(self, check: Check) -> None:
        """Let `check` run beside the others from now on, out of sight."""
        self._early[check.name] = self._pool.submit(
            self._do, self._root, check, is_shown=False
        )

    def result(self, check: Check) -> Result:
        """Run `check`, or wait for it, and show what it prints."""
        if check.is_alone:
            for other in self._early.values():
                other.result()
        say(f"\n=== {check.name} " + "=" * (74 - len(check.name)))
        if check.name not in self._early:
            return self._do(self._root, check, is_shown=True)
        result = self._early[check.name].result()
        say(result.output)
        return result


def choose(checks: Sequence[Check], names: Sequence[str]) -> list[Check]:
    """The checks called `names` in their own order; all where none is named."""
    known = [check.name for check in checks]
    for name in names:
        if name not in known:
            raise Problem(f"There is no group {name!r}: use {', '.join(known)}.")
    return [check for check in checks if not names or check.name in names]


def refusal(check: Check, missing: Mapping[str, str]) -> Result | None:
    """The result of a group that lacks what it needs; None where it can run."""
    reasons = [text for need, text in missing.items() if need in check.needs]
    return Result(check.name, False, 0.0, " ".join(reasons)) if reasons else None


def summary(results: Sequence[Result], total_s: float) -> str:
    """One line a group, then how many passed in how many seconds altogether."""
    lines = []
    for r in results:
        word = "passed" if r.passed else "FAILED"
        lines.append(f"{word:7} {r.name:9} {r.wall_s:6.1f} s  {r.reason}".rstrip())
    num_passed = sum(r.passed for r in results)
    last = f"{num_passed} groups passed, {len(results) - num_passed} failed"
    return "\n".join([*lines, f"{last}, {total_s:.0f} s"])


def run(
    root: Path,
    python: Path,
    names: Sequence[str] = (),
    do: Do = run_check,
) -> int:
    """Run the groups and print the summary; 0 only where every one passed."""
    os.chdir(root)
    chosen = choose(all_checks(python), names)
    if {"unit", "server"} & {check.name for check in chosen}:
        for old in (root / ".cache" / "coverage").glob(".coverage.*"):
            old.unlink()
    needs = frozenset().union(*(check.needs for check in chosen))
    missing = prepare(root, python, needs)
    started = time.monotonic()
    refused = {check.name: refusal(check, missing) for check in chosen}
    with ThreadPoolExecutor() as pool:
        groups = Groups(root, do, pool)
        for check in chosen[1:]:
            if check.starts_early and not refused[check.name]:
                groups.start(check)
        results = [refused[check.name] or groups.result(check) for check in chosen]
    say("\n" + summary(results, time.monotonic() - started))
    return 0 if all(result.passed for result in results) else 1
