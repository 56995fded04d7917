"""The map of the book is read from the notebooks that there are."""

from __future__ import annotations

import json
from pathlib import Path

from labkit.book.contents import read_contents
from labkit.book.parts import Part
from labkit.records import Layer


def write(folder: Path, name: str, head: str) -> None:
    cell = {"cell_type": "markdown", "id": "h", "metadata": {}, "source": [head]}
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps({"cells": [cell]}), encoding="utf-8")


def progress(part: Part) -> str:
    return f"done {part.name}"


def test_chapters_that_exist_have_minutes_and_progress(tmp_path: Path) -> None:
    write(tmp_path, "07_cache.ipynb", "# 7 · KV cache\n\n*40 minutes · no GPU*\n")
    stops = read_contents([tmp_path], progress).stops
    assert [s.layer for s in stops] == list(Layer)
    seventh = stops[6]
    assert (seventh.notebook, seventh.state) == (
        "07_cache.ipynb",
        "40 minutes · done 07",
    )
    assert {s.state for s in stops if s is not seventh} == {"not written yet"}


def test_appendices_come_last_under_their_own_titles(tmp_path: Path) -> None:
    write(tmp_path, "07_cache.ipynb", "# 7")
    write(tmp_path, "appendix_speculation.ipynb", "# Guessing ahead\n*20 minutes*")
    last = read_contents([tmp_path], lambda _: "").stops[-1]
    assert (last.name, last.question) == ("Appendix speculation", "Guessing ahead")
    assert (last.notebook, last.state) == ("appendix_speculation.ipynb", "20 minutes")


def test_the_first_folder_with_chapters_is_the_book(tmp_path: Path) -> None:
    empty, book = tmp_path / "empty", tmp_path / "book"
    empty.mkdir()
    write(book, "09_sampling.ipynb", "# 9")
    folders = [tmp_path / "missing", empty, book]
    stops = read_contents(folders, lambda _: "").stops
    assert stops[8].notebook == "09_sampling.ipynb"
    missing = read_contents([empty], lambda _: "").stops
    assert not [stop for stop in missing if stop.notebook]


def test_it_is_shown_as_a_page_as_markdown_and_in_words(tmp_path: Path) -> None:
    write(tmp_path, "07_cache.ipynb", "# 7")
    contents = read_contents([tmp_path], lambda _: "")
    bundle = contents._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/markdown", "text/plain"}
    assert bundle["text/plain"] == repr(contents)
    assert "12 · Billing" in repr(contents)
