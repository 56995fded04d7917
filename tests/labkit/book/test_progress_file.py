"""What a reader has done: kept over kernels, never half a file, never lost silently."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labkit.book.parts import Part
from labkit.book.progress_file import NAME, SCHEMA, VERSION, ProgressFile

SEVEN, EIGHT = Part(chapter=7), Part(chapter=8)
GUESS = {"guess": 20.0, "verdict": "You said 20."}


def write_chapter(folder: Path, num_questions: int) -> None:
    source = "guess = lab.predict('?', between=(0, 1))\n"
    cells = [{"cell_type": "code", "source": [source]} for _ in range(num_questions)]
    talk = {"cell_type": "markdown", "source": ["Use `lab.predict(...)`."]}
    text = json.dumps({"cells": [*cells, talk]})
    folder.joinpath("07_cache.ipynb").write_text(text, encoding="utf-8")


def test_what_is_done_is_there_for_the_next_kernel(tmp_path: Path) -> None:
    first = ProgressFile(tmp_path)
    first.keep_guess(SEVEN, "How many?", GUESS)
    first.keep_solved(SEVEN, "7.1")
    first.keep_solved(SEVEN, "7.1")
    again = ProgressFile(tmp_path)
    assert again.guess(SEVEN, "How many?") == GUESS
    assert again.solved(SEVEN) == {"7.1"}
    assert (again.guess(EIGHT, "How many?"), again.solved(EIGHT)) == (None, set())
    data = json.loads((tmp_path / NAME).read_text(encoding="utf-8"))
    assert (data["schema"], data["version"]) == (SCHEMA, VERSION)


def test_chapters_open_at_once_do_not_undo_each_other(tmp_path: Path) -> None:
    one, other = ProgressFile(tmp_path), ProgressFile(tmp_path)
    one.keep_solved(SEVEN, "7.1")
    other.keep_solved(EIGHT, "8.1")
    one.keep_guess(SEVEN, "How many?", GUESS)
    assert other.solved(SEVEN) == {"7.1"}
    assert one.solved(EIGHT) == {"8.1"}


def test_a_guess_is_forgotten_when_it_is_asked_again(tmp_path: Path) -> None:
    kept = ProgressFile(tmp_path)
    kept.keep_guess(SEVEN, "How many?", GUESS)
    kept.keep_guess(SEVEN, "How many?", {})
    assert kept.guess(SEVEN, "How many?") is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"schema": "other"}', "\udcff", '{"version": 1}']
)
def test_a_damaged_file_is_set_aside_and_said(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / NAME
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    kept = ProgressFile(tmp_path)
    kept.keep_solved(SEVEN, "7.1")
    assert kept.solved(SEVEN) == {"7.1"}
    said = capsys.readouterr().out
    assert said.count("kept as progress.damaged-1.json, and a new one is begun.") == 1
    aside = tmp_path / "progress.damaged-1.json"
    assert aside.read_bytes() == text.encode("utf-8", "surrogateescape")


def test_a_file_of_a_newer_book_is_set_aside_as_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    newer = json.dumps({"schema": SCHEMA, "version": 2, "parts": {}})
    (tmp_path / NAME).write_text(newer, encoding="utf-8")
    assert ProgressFile(tmp_path).solved(SEVEN) == set()
    assert "has version 2, this book reads 1" in capsys.readouterr().out


def test_odd_values_in_the_file_count_as_nothing(tmp_path: Path) -> None:
    odd = {"07": {"guesses": {"a": 3, "b": {"guess": 1}}, "solved": 5}, "08": 7}
    data = {"schema": SCHEMA, "version": 1, "parts": odd}
    (tmp_path / NAME).write_text(json.dumps(data), encoding="utf-8")
    kept = ProgressFile(tmp_path)
    assert kept.guess(SEVEN, "a") is None
    assert kept.line(SEVEN).startswith("1 guess, 0 of ")
    assert kept.solved(EIGHT) == set()
    kept.keep_solved(SEVEN, "7.2")
    assert kept.solved(SEVEN) == {"7.2"}


def test_where_nothing_can_be_written_memory_keeps_it_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = ProgressFile(tmp_path / "no such folder")
    kept.keep_solved(SEVEN, "7.1")
    kept.keep_solved(SEVEN, "7.2")
    assert kept.solved(SEVEN) == {"7.1", "7.2"}
    said = capsys.readouterr().out
    assert said.count("are kept until the kernel ends.") == 1


def test_without_a_folder_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kept = ProgressFile(None)
    kept.keep_guess(SEVEN, "How many?", GUESS)
    assert kept.guess(SEVEN, "How many?") == GUESS
    assert kept.line(SEVEN) == ""
    assert list(tmp_path.iterdir()) == []


def test_the_line_counts_what_the_notebook_asks(tmp_path: Path) -> None:
    kept = ProgressFile(tmp_path)
    assert kept.line(SEVEN).startswith("0 guesses, 0 of ")
    write_chapter(tmp_path, 5)
    kept.keep_guess(SEVEN, "How many?", GUESS)
    kept.keep_guess(SEVEN, "How long?", {"skipped": True})
    kept.keep_solved(SEVEN, "7.1")
    kept.keep_solved(SEVEN, "no longer asked")
    assert kept.line(SEVEN).startswith("1 of 5 guesses, 1 of ")
    assert kept.line(Part(chapter="index")) == "0 guesses"


def test_an_appendix_counts_the_questions_of_its_own_notebook(tmp_path: Path) -> None:
    write_chapter(tmp_path, 5)
    (tmp_path / "notes.ipynb").write_text("a notebook of the reader's own")
    (tmp_path / "07_cache.ipynb").rename(tmp_path / "appendix_ladder.ipynb")
    assert ProgressFile(tmp_path).line(Part(appendix="ladder")) == "0 of 5 guesses"


def test_what_is_kept_is_told_to_whoever_shows_it(tmp_path: Path) -> None:
    kept, lines = ProgressFile(tmp_path), []
    kept.on_change = lambda: lines.append(kept.line(SEVEN))
    kept.keep_guess(SEVEN, "How many?", GUESS)
    kept.keep_solved(SEVEN, "7.1")
    assert [line.split(",")[0] for line in lines] == ["1 guess", "1 guess"]
    assert ", 1 of " in lines[1]
