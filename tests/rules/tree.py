"""The project's files, as the rule tests see them; paths are relative to the root."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def files() -> tuple[Path, ...]:
    """All files that git tracks or would track; this needs a git checkout."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    names = answer.stdout.decode().split("\0")
    return tuple(Path(n) for n in sorted({*names} - {""}) if (ROOT / n).is_file())


def python(*folders: str) -> list[Path]:
    """Python files under `folders`."""
    return [p for p in files() if p.suffix == ".py" and p.parts[0] in folders]


def read(path: Path) -> str:
    """Text of a file of the project."""
    return (ROOT / path).read_text(encoding="utf-8")
