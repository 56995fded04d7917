"""Runs all checks of the project in groups, fast ones first, with one summary.

Every group runs even where an earlier one failed; the exit code is 0 only where all
passed. A group that cannot run counts as failed: nothing is skipped silently.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

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


@dataclass(frozen=True, slots=True)
class Result:
    """How a group went."""

    name: str
    passed: bool
    wall_s: float
    reason: str = ""  # why it could not run


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
        ),
        Check(
            "coverage",
            coverage(python),
            env={"COVERAGE_FILE": ".cache/coverage/.coverage"},
        ),
        Check("chapters", notebooks(python), needs=weights),
        Check(
            "browser",
            (pytest(python, "tests", "-m", "browser"),),
            needs=frozenset({"weights", "chromium"}),
        ),
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


def run_check(root: Path, check: Check) -> Result:
    """Run one group, its output straight to the terminal."""
    say(f"\n=== {check.name} " + "=" * (74 - len(check.name)))
    started = time.monotonic()
    env = {**os.environ, **SHARED_ENV, **check.env}
    passed = all(
        subprocess.call(c, cwd=root, env=env, stdin=subprocess.DEVNULL) == 0
        for c in check.commands
    )
    return Result(check.name, passed, time.monotonic() - started)


def choose(checks: Sequence[Check], names: Sequence[str]) -> list[Check]:
    """The checks called `names` in their own order; all where none is named."""
    known = [check.name for check in checks]
    for name in names:
        if name not in known:
            raise Problem(f"There is no group {name!r}: use {', '.join(known)}.")
    return [check for check in checks if not names or check.name in names]


def summary(results: Sequence[Result]) -> str:
    """One line a group, then how many passed."""
    lines = []
    for r in results:
        word = "passed" if r.passed else "FAILED"
        lines.append(f"{word:7} {r.name:9} {r.wall_s:6.1f} s  {r.reason}".rstrip())
    num_passed = sum(r.passed for r in results)
    total_s = sum(r.wall_s for r in results)
    last = f"{num_passed} groups passed, {len(results) - num_passed} failed"
    return "\n".join([*lines, f"{last}, {total_s:.0f} s"])


def run(
    root: Path,
    python: Path,
    names: Sequence[str] = (),
    do: Callable[[Path, Check], Result] = run_check,
) -> int:
    """Run the groups and print the summary; 0 only where every one passed."""
    os.chdir(root)
    chosen = choose(all_checks(python), names)
    if {"unit", "server"} & {check.name for check in chosen}:
        for old in (root / ".cache" / "coverage").glob(".coverage.*"):
            old.unlink()
    needs = frozenset().union(*(check.needs for check in chosen))
    missing = prepare(root, python, needs)
    results = []
    for check in chosen:
        reasons = [text for need, text in missing.items() if need in check.needs]
        refused = Result(check.name, passed=False, wall_s=0.0, reason=" ".join(reasons))
        results.append(refused if reasons else do(root, check))
    say("\n" + summary(results))
    return 0 if all(result.passed for result in results) else 1
