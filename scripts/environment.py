"""Makes `.venv` and keeps it up to date with one file of exact versions.

A stamp file says what the installation was made from, so that a second start installs
nothing. While an installation runs, a second file marks it as unfinished: where that
file is found later, the folder is made anew. Only `.venv` and `.cache` are written.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scripts.diagnose import explain
from scripts.problem import Problem
from scripts.shell import run_logged, say

__all__ = ["Stamp", "ensure", "ensure_second_client", "inputs_hash", "read_stamp"]

NEEDED_BYTES = 3_000_000_000  # torch alone unpacks to 0.8 GB
INPUTS = ("pyproject.toml", "constraints.txt", "hatch_build.py")
SCRIPT_SOURCES = ("js", "mjs", "json", "css")
BUILT = Path("labkit/widgets/static/vendor")

Run = Callable[..., int]


@dataclass(frozen=True, slots=True)
class Stamp:
    """What an installation was made from."""

    inputs: str  # hash of the files that say what to install
    extras: tuple[str, ...]  # sorted
    python: str  # version and place of the Python that made it

    def covers(self, wanted: Stamp) -> bool:
        """True where an installation with this stamp does for `wanted`."""
        same = (self.inputs, self.python) == (wanted.inputs, wanted.python)
        return same and set(wanted.extras) <= set(self.extras)


def input_files(root: Path) -> list[Path]:
    """Files that decide what gets installed and built, in a fixed order."""
    found = [root / name for name in INPUTS if (root / name).is_file()]
    for folder in ("labkit/widgets/js", "labkit/widgets/labextensions"):
        for path in sorted((root / folder).rglob("*")):
            is_source = path.is_file() and path.suffix[1:] in SCRIPT_SOURCES
            if is_source and "node_modules" not in path.parts:
                found.append(path)
    return found


def inputs_hash(root: Path) -> str:
    """One hash over names and contents of `input_files`."""
    total = hashlib.sha256()
    for path in input_files(root):
        total.update(path.relative_to(root).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def read_stamp(venv: Path) -> Stamp | None:
    """The stamp of a finished installation, None where there is none to trust."""
    if (venv / "installing").exists():
        return None
    try:
        data = json.loads((venv / "stamp.json").read_text(encoding="utf-8"))
        return Stamp(data["inputs"], tuple(data["extras"]), data["python"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def ensure(root: Path, extras: Iterable[str], run: Run = run_logged) -> Path:
    """Path of `.venv`'s Python with `extras` installed; installs what is missing."""
    venv = root / ".venv"
    python = venv / "bin" / "python"
    here = f"{sys.version.split()[0]} {sys.base_prefix}"
    wanted = Stamp(inputs_hash(root), tuple(sorted(extras)), here)
    found = read_stamp(venv)
    if found and found.covers(wanted) and python.exists() and is_built(root):
        return python
    both = set(wanted.extras) | set(found.extras if found else ())
    check_disk(root)
    if not is_sound(venv, found, here):
        make_venv(venv, root, run)
    install(root, python, sorted(both), run)
    made = Stamp(wanted.inputs, tuple(sorted(both)), here)
    stamp = json.dumps(asdict(made), indent=1)
    (venv / "stamp.json").write_text(stamp + "\n", encoding="utf-8")
    (venv / "installing").unlink()
    compile_all(root, python, run)
    return python


def is_built(root: Path) -> bool:
    """True where the widgets' JavaScript is there, or there is none to build."""
    if not (root / "hatch_build.py").exists():
        return True
    return any((root / BUILT).glob("*"))


def is_sound(venv: Path, found: Stamp | None, here: str) -> bool:
    """True where `venv` can be added to: not cut off, runs, made by this Python."""
    if (venv / "installing").exists() or (found and found.python != here):
        return False
    python = venv / "bin" / "python"
    test = "import pip, sys; print(sys.version.split()[0], sys.base_prefix)"
    try:
        answer = subprocess.run(
            [python, "-c", test], capture_output=True, text=True, check=False
        )
    except OSError:
        return False
    return answer.stdout.strip() == here


def check_disk(root: Path, free: Callable[[Path], Any] = shutil.disk_usage) -> None:
    """`Problem` where the disk has too little room to begin with."""
    free_bytes = free(root).free
    if free_bytes < NEEDED_BYTES and not (root / ".venv" / "stamp.json").exists():
        raise Problem(
            f"The disk has {free_bytes / 1e9:.1f} GB free and set-up needs about "
            f"{NEEDED_BYTES / 1e9:.0f} GB: free some space and run the command again."
        )


def make_venv(venv: Path, root: Path, run: Run) -> None:
    """A new, empty virtual environment in place of whatever was there."""
    if venv.exists():
        say(".venv is unfinished or made by another Python: making it anew.")
        shutil.rmtree(venv)
    say("Making .venv ...")
    log = root / ".cache" / "setup" / "venv.log"
    if run([sys.executable, "-m", "venv", venv], log, cwd=root):
        shutil.rmtree(venv, ignore_errors=True)
        raise failed("Making .venv failed", log, root)


def install(root: Path, python: Path, extras: Sequence[str], run: Run) -> None:
    """Install the project itself, editable, with `extras`, under the constraints."""
    names = ",".join(extras)
    say(f"Installing labkit[{names}] into .venv (minutes the first time) ...")
    (root / ".venv" / "installing").touch()
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check"]
    command = [*pip, "--no-compile", "-c", "constraints.txt", "-e", f".[{names}]"]
    log = root / ".cache" / "setup" / "pip.log"
    exit_code = run(command, log, cwd=root, env=clean_env())
    if exit_code > 0:  # pip itself gave up and put everything back
        (root / ".venv" / "installing").unlink()
    if exit_code:
        raise failed("Installing failed", log, root)


def compile_all(root: Path, python: Path, run: Run) -> None:
    """Compile what pip unpacked, on all cores (pip would use one, for a minute).

    Nothing depends on it: what is left out, Python compiles when it is first imported.
    """
    log = root / ".cache" / "setup" / "compile.log"
    for folder in (root / ".venv" / "lib").glob("python3*/site-packages"):
        say("Compiling ...")
        run([python, "-m", "compileall", "-q", "-j", "0", folder], log)


def failed(what: str, log: Path, root: Path) -> Problem:
    """The error for an installer that failed and wrote its output to `log`."""
    text = log.read_text(encoding="utf-8") if log.exists() else ""
    return Problem(
        f"{what}: {explain(text)}; then run the command again "
        f"(the whole story is in {log.relative_to(root)})."
    )


def clean_env() -> dict[str, str]:
    """This process's environment without variables that redirect Python or pip."""
    misleading = ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_USER", "PIP_PREFIX")
    return {k: v for k, v in os.environ.items() if k not in misleading}


def ensure_second_client(root: Path, python: Path, run: Run = run_logged) -> None:
    """Install the older `openai` client of the server's tests beside the venv."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    pin = project["tool"]["labkit"]["second-openai"]
    target = root / ".cache" / "openai2"
    mark = target / "pin.txt"
    if mark.exists() and mark.read_text(encoding="utf-8") == pin:
        return
    shutil.rmtree(target, ignore_errors=True)
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    others = root / ".cache" / "setup" / "constraints-openai2.txt"
    others.parent.mkdir(parents=True, exist_ok=True)
    kept = [line for line in lines if not line.startswith("openai==")]
    others.write_text("\n".join(kept) + "\n", encoding="utf-8")
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check"]
    log = root / ".cache" / "setup" / "openai2.log"
    if run([*pip, "-c", others, "--target", target, pin], log, env=clean_env()):
        shutil.rmtree(target, ignore_errors=True)
        raise failed(f"Installing {pin} for the server's tests failed", log, root)
    mark.write_text(pin, encoding="utf-8")
