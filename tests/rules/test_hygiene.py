"""The project stands alone: no machine's paths, no registry, one way to run it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scripts import generate, testing
from tests.rules import hygiene, tree

TEXTS = [path for path in tree.files() if hygiene.is_text(path)]


@pytest.mark.parametrize("path", TEXTS, ids=str)
def test_no_file_names_a_machine_or_a_registry(path: Path) -> None:
    assert hygiene.faults(path, tree.read(path)) == []


@pytest.mark.parametrize(
    "text",
    [f"resolved https://{hygiene.HOSTS[2]}/x", "open('" + "/work" + "/main/x')"],
)
def test_a_machine_or_registry_is_found(text: str) -> None:
    assert len(hygiene.faults(Path("x.json"), text)) == 1


def test_an_address_and_a_relative_path_are_allowed() -> None:
    text = "https://example.org/home/x/y labkit/work/x.py /v1/models"
    assert hygiene.faults(Path("x.md"), text) == []


def test_ci_runs_what_a_person_runs() -> None:
    path = tree.ROOT / ".ci" / "run"
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[-1] == "exec make test"
    assert os.access(path, os.X_OK)


def test_formatting_is_checked_and_not_done() -> None:
    commands = [
        c for check in testing.quick_checks(Path("python")) for c in check.commands
    ]
    formats = [command for command in commands if "format" in command]
    assert formats
    assert all("--check" in command for command in formats)


def test_generated_files_are_up_to_date() -> None:
    assert generate.stale(tree.ROOT) == [], "run make readme"


def test_every_direct_requirement_is_pinned() -> None:
    from scripts import pins

    lines = tree.read(Path("constraints.txt")).splitlines()
    pinned = {line.split("==")[0] for line in lines if "==" in line}
    wanted = {
        pins.canonical(r.name) for r in pins.roots(tree.read(Path("pyproject.toml")))
    }
    assert wanted <= pinned | {"hatchling"}, "run make pins"
    assert not [line for line in lines if "+" in line], "no local builds such as +cpu"


def test_every_make_target_is_listed_by_help() -> None:
    makefile = tree.read(Path("Makefile"))
    phony = next(line for line in makefile.splitlines() if line.startswith(".PHONY:"))
    for target in phony.split()[1:]:
        assert f"\n{target}: ## " in makefile, target
