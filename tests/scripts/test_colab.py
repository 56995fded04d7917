"""What a kernel has stays; what it lacks comes in the pinned version."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts import colab
from scripts.colab import constraints

PINS = ["# pins", "torch==2.13.0", "numpy==2.4.6", "ipywidgets==8.1.9", "nh3==0.3.8"]


def test_torch_and_numpy_stay_to_the_digit() -> None:
    installed = {"torch": "2.11.0+cu130", "numpy": "2.0.2"}
    made = constraints(PINS, installed)
    assert "torch==2.11.0+cu130" in made
    assert "numpy==2.0.2" in made
    assert "torch==2.13.0" not in made


def test_other_packages_that_are_there_are_left_to_pip() -> None:
    made = constraints(PINS, {"ipywidgets": "7.7.1"})
    assert not any(pin.startswith("ipywidgets") for pin in made)


def test_what_is_missing_is_pinned_as_everywhere_else() -> None:
    assert constraints(PINS, {}) == PINS[1:]


def test_names_are_compared_as_pypi_does() -> None:
    assert constraints(["Markdown_It.py==4.3.0"], {"markdown-it-py": "3"}) == []


def a_book(folder: Path) -> None:
    (folder / colab.FOLDER / "chapters").mkdir(parents=True)
    (folder / colab.FOLDER / "constraints.txt").write_text("labkit-x==1\n", "utf-8")


def test_the_book_is_cloned_once_installed_and_entered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def run(command: Sequence[str]) -> int:
        commands.append(list(command))
        if command[0] == "git":
            a_book(tmp_path)
        return 0

    monkeypatch.chdir(tmp_path)
    colab.install("https://github.com/ann/book", run)
    assert [command[0] for command in commands] == ["git", sys.executable]
    assert "https://github.com/ann/book" in commands[0]
    assert f"./{colab.FOLDER}" in commands[1]
    assert Path.cwd() == tmp_path / colab.FOLDER / "chapters"
    monkeypatch.chdir(tmp_path)
    colab.install("https://github.com/ann/book", run)
    assert len(commands) == 3


def test_a_clone_that_fails_is_one_sentence_with_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError, match=r"ann/book could not be cloned.*with 128"):
        colab.install("https://github.com/ann/book", lambda _: 128)
