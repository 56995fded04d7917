"""Sees to the browser that the tests drive: Debian's chromium and two fonts.

Installs only where that is a matter of course: as root, with apt. Everywhere else a
missing browser is a sentence, and the browser tests fail; they are never skipped.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scripts.problem import Problem
from scripts.shell import run_logged, say

__all__ = ["PACKAGES", "Machine", "ensure_browser", "this_machine"]

PACKAGES = ("chromium", "fonts-noto-cjk", "fonts-noto-color-emoji")
APT_ENV = {"DEBIAN_FRONTEND": "noninteractive"}
Run = Callable[..., int]


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides whether a browser can be had."""

    is_root: bool
    has_apt: bool
    has_chromium: bool
    missing: tuple[str, ...]  # of PACKAGES, where apt can tell


def is_installed(package: str) -> bool:
    """True where Debian's package database lists `package` as unpacked."""
    return Path(f"/var/lib/dpkg/info/{package}.list").exists()


def this_machine() -> Machine:
    """The facts of the machine that runs this."""
    has_apt = shutil.which("apt-get") is not None
    missing = tuple(p for p in PACKAGES if not is_installed(p)) if has_apt else ()
    return Machine(
        is_root=os.geteuid() == 0,
        has_apt=has_apt,
        has_chromium=shutil.which("chromium") is not None,
        missing=missing,
    )


def ensure_browser(
    root: Path,
    look: Callable[[], Machine] = this_machine,
    run: Run = run_logged,
) -> None:
    """Install what is missing where we may; `Problem` where no browser can be had."""
    machine = look()
    if machine.has_chromium and not machine.missing:
        return
    if machine.is_root and machine.has_apt:
        install(root, machine.missing or ("chromium",), run)
        machine = look()
    if not machine.has_chromium:
        raise Problem(
            "There is no `chromium` on PATH, which the browser tests drive: install it "
            f"(Debian: sudo apt install {' '.join(PACKAGES)}) and run the tests again."
        )
    if machine.missing:
        say(f"Screenshots will lack some characters without {machine.missing}.")


def install(root: Path, packages: tuple[str, ...], run: Run) -> None:
    """Install Debian `packages`; `Problem` where apt fails."""
    say(f"Installing {', '.join(packages)} ...")
    log = root / ".cache" / "setup" / "apt.log"
    env = {**os.environ, **APT_ENV}
    update = ["apt-get", "update"]
    get = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if run(update, log, env=env) or run(get, log, env=env):
        raise Problem(
            f"apt could not install {' '.join(packages)}: {log.relative_to(root)} says "
            "why; check the network, or install them yourself and run the tests again."
        )
