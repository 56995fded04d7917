"""A command that is unknown, failed or interrupted ends in one line and a code."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts import __main__ as entry
from scripts import commands
from scripts.problem import Problem


def test_every_make_target_has_its_command() -> None:
    makefile = (commands.ROOT / "Makefile").read_text(encoding="utf-8")
    named = re.findall(r"^\t\$\(RUN\) (\w+)", makefile, flags=re.MULTILINE)
    assert len(named) > 5
    assert set(named) <= set(commands.COMMANDS)


def test_an_unknown_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["lob"]) == 2
    assert "'lob'; there are: lab, test" in capsys.readouterr().err


def test_a_problem_is_one_line_without_a_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(_: Sequence[str]) -> int:
        raise Problem("The disk is full: free some space.")

    assert commands.main(["lab"], {"lab": fail}) == 1
    assert capsys.readouterr().err == "The disk is full: free some space.\n"


def test_an_interruption_says_how_to_go_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop(_: Sequence[str]) -> int:
        raise KeyboardInterrupt

    assert commands.main(["test"], {"test": stop}) == 130
    assert "`make test` goes on from here" in capsys.readouterr().out


def test_the_entry_can_be_read_by_an_old_python() -> None:
    source = Path(entry.__file__).read_text(encoding="utf-8")
    compile(source, "entry", "exec")
    for newer in ("match ", ":= ", "tomllib"):
        assert newer not in source


def test_a_python_that_does_not_run_is_passed_over() -> None:
    found = entry.find_python(
        which=lambda name: f"bin/{name}",
        call=lambda command, **_: int("3.12" not in command[0]),
    )
    assert found == "bin/python3.12"


def test_no_new_python_is_none() -> None:
    assert entry.find_python(which=lambda _: None) is None


def test_make_alone_lists_the_targets() -> None:
    answer = subprocess.run(
        ["make"], cwd=commands.ROOT, capture_output=True, text=True, check=True
    )
    for target in ("make lab", "make test", "make check", "make book", "make js"):
        assert target in answer.stdout


def test_a_missing_python_is_one_sentence() -> None:
    answer = subprocess.run(
        ["make", "lab", "PYTHON=python-that-is-not-there"],
        cwd=commands.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode != 0
    assert "install Python 3.11 or newer" in answer.stderr
