"""Writes constraints.txt: an exact version for all that the project pulls in.

Runs in `.venv`'s Python (`make pins`). Starts from pyproject.toml's requirements and
follows each installed package's own; what else happens to be installed is left out.
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

__all__ = ["closure", "constraints", "roots"]

HEAD = """\
# Exact versions for set-up, CI, Binder and Colab. Written by `make pins`; do not edit.
"""


def roots(pyproject: str) -> list[Requirement]:
    """What pyproject.toml asks for by name: run time, every extra, the build."""
    data = tomllib.loads(pyproject)
    project = data["project"]
    lines = [*project["dependencies"], *data["build-system"]["requires"]]
    for extra in project["optional-dependencies"].values():
        lines += extra
    return [Requirement(line) for line in lines]


def canonical(name: str) -> str:
    """A package's name in the one spelling that pip compares by."""
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(wanted: list[Requirement]) -> dict[str, str]:
    """Installed name and version of `wanted` and all that they need, by themselves."""
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    todo = [(r, "") for r in wanted]
    while todo:
        requirement, extra = todo.pop()
        marker = requirement.marker
        if marker and not marker.evaluate({"extra": extra}):
            continue
        name = canonical(requirement.name)
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # a build-time tool; pip's isolated build brings its own
        found[name] = package.version.split("+")[0]  # no local builds such as +cpu
        for each in ("", *requirement.extras):
            if (name, each) not in seen:
                seen.add((name, each))
                todo += [(Requirement(r), each) for r in package.requires or []]
    return found


def constraints(pyproject: str) -> str:
    """The text of constraints.txt."""
    pins = closure(roots(pyproject))
    return HEAD + "".join(f"{name}=={pins[name]}\n" for name in sorted(pins))


if __name__ == "__main__":
    root = Path(sys.argv[1])
    text = constraints((root / "pyproject.toml").read_text(encoding="utf-8"))
    (root / "constraints.txt").write_text(text, encoding="utf-8")
    print(f"constraints.txt: {text.count('==')} versions")
