"""The working copy shows nothing before it is run and never loses a reader's edits."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from scripts.working_copy import FOLDER, fingerprint, renew

TODAY = date(2026, 11, 29)
NAME = "07_cache.ipynb"


def cell(source: str, **metadata: Any) -> dict[str, Any]:
    said = {"output_type": "stream", "name": "stdout", "text": "secret\n"}
    head = {"cell_type": "code", "id": source, "metadata": metadata, "source": source}
    return {**head, "execution_count": 1, "outputs": [said]}


def publish(root: Path, *cells: dict[str, Any], name: str = NAME) -> None:
    """Commit a chapter of these cells."""
    (root / "chapters" / "images").mkdir(parents=True, exist_ok=True)
    (root / "chapters" / "data").mkdir(exist_ok=True)
    book = {"cells": [*cells], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (root / "chapters" / name).write_text(json.dumps(book), encoding="utf-8")


def read(root: Path, name: str = NAME) -> dict[str, Any]:
    book: dict[str, Any] = json.loads((root / FOLDER / name).read_text("utf-8"))
    return book


def sources(root: Path, name: str = NAME) -> list[str]:
    return [cell["source"] for cell in read(root, name)["cells"]]


def save(root: Path, **changes: Any) -> None:
    """Save the notebook as JupyterLab does after a run, with `changes` to its cells."""
    book = read(root)
    book["cells"] = [{**cell("x"), **old, **changes} for old in book["cells"]]
    for each in book["cells"]:
        each.update(execution_count=5, outputs=cell("x")["outputs"])
    book["cells"].append({**cell(""), "outputs": [], "execution_count": None})
    book["metadata"] = {"widgets": {"state": {}}, "kernelspec": {"name": "python3"}}
    (root / FOLDER / NAME).write_text(json.dumps(book), encoding="utf-8")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    publish(tmp_path, cell("lab = start(chapter=7)", tags=["plumbing"]))
    return tmp_path


def test_it_is_made_once_without_outputs_and_counts(root: Path) -> None:
    (told,) = renew(root, TODAY)
    assert "your copy of the chapters" in told
    (made,) = read(root)["cells"]
    assert (made["outputs"], made["execution_count"]) == ([], None)
    assert made["metadata"] == {"tags": ["plumbing"]}
    assert renew(root, TODAY) == []


def test_pictures_are_copied_anew_and_recordings_linked(root: Path) -> None:
    (root / "chapters" / "data" / "07_first.json").write_text("{}", encoding="utf-8")
    for text in ("<svg/>", "<svg>new</svg>"):
        (root / "chapters" / "images" / "layer_07.svg").write_text(text, "utf-8")
        renew(root, TODAY)
        picture = root / FOLDER / "images" / "layer_07.svg"
        assert picture.read_text("utf-8") == text
        # Jupyter Server answers 403 for a file that a link leads to
        assert picture.resolve().is_relative_to((root / FOLDER).resolve())
    assert (root / FOLDER / "data" / "07_first.json").read_text("utf-8") == "{}"


def test_the_cell_for_colab_is_left_out(root: Path) -> None:
    publish(root, cell("install()", tags=["plumbing", "colab"]), cell("start()"))
    renew(root, TODAY)
    assert sources(root) == ["start()"]


def test_the_indexs_map_can_be_clicked_before_anything_is_run(root: Path) -> None:
    publish(root, cell("lab.contents()", tags=["map"]), name="index.ipynb")
    renew(root, TODAY)
    (made,) = read(root, "index.ipynb")["cells"]
    assert made["outputs"] == cell("x")["outputs"]
    assert made["execution_count"] is None
    newer = cell("lab.contents()", tags=["map"])
    newer["outputs"][0]["text"] = "a chapter more\n"
    publish(root, newer, name="index.ipynb")
    renew(root, TODAY)
    assert read(root, "index.ipynb")["cells"][0]["outputs"] == newer["outputs"]


def test_a_new_chapter_comes_by_itself(root: Path) -> None:
    renew(root, TODAY)
    publish(root, cell("y"), name="08_prefill_decode.ipynb")
    assert renew(root, TODAY) == []
    assert sources(root, "08_prefill_decode.ipynb") == ["y"]


def test_a_chapter_that_was_run_and_saved_counts_as_unedited(root: Path) -> None:
    renew(root, TODAY)
    save(root)
    publish(root, cell("a newer text"))
    assert renew(root, TODAY) == []
    assert sources(root) == ["a newer text"]


def test_what_was_run_keeps_its_outputs_while_the_book_is_the_same(root: Path) -> None:
    renew(root, TODAY)
    save(root)
    before = read(root)
    assert renew(root, TODAY) == []
    assert read(root) == before


def test_edits_are_never_overwritten_and_a_newer_text_is_told(root: Path) -> None:
    renew(root, TODAY)
    save(root, source="my own")
    before = read(root)
    assert renew(root, TODAY) == []
    publish(root, cell("a newer text"))
    for _ in range(2):
        (told,) = renew(root, TODAY)
        assert "make lab RENEW=1" in told
    assert read(root) == before


def test_renewing_keeps_the_edited_notebook_beside_the_new_one(root: Path) -> None:
    renew(root, TODAY)
    for text in ("first", "second"):
        save(root, source=text)
        assert len(renew(root, TODAY, anew=True)) == 1
    assert sources(root) == ["lab = start(chapter=7)"]
    assert sources(root, "07_cache.2026-11-29.ipynb")[0] == "first"
    assert sources(root, "07_cache.2026-11-29-2.ipynb")[0] == "second"


def test_renewing_takes_the_outputs_of_an_unedited_notebook_away(root: Path) -> None:
    renew(root, TODAY)
    save(root)
    assert renew(root, TODAY, anew=True) == []
    assert [made["outputs"] for made in read(root)["cells"]] == [[]]


@pytest.mark.parametrize("text", ["no notebook", "[]", '{"cells": [{}]}'])
def test_a_file_that_is_no_notebook_is_kept_as_an_edit(root: Path, text: str) -> None:
    renew(root, TODAY)
    (root / FOLDER / NAME).write_text(text, encoding="utf-8")
    assert renew(root, TODAY) == []
    assert (root / FOLDER / NAME).read_text("utf-8") == text
    renew(root, TODAY, anew=True)
    kept = root / FOLDER / "07_cache.2026-11-29.ipynb"
    assert kept.read_text("utf-8") == text


@pytest.mark.parametrize("text", ["", "[]", "{", '{"07_cache.ipynb": "x"}'])
def test_a_lost_record_costs_no_edit(root: Path, text: str) -> None:
    renew(root, TODAY)
    save(root, source="my own")
    (root / FOLDER / ".handed-out.json").write_text(text, encoding="utf-8")
    (told,) = renew(root, TODAY)
    assert "has your edits" in told
    assert sources(root)[0] == "my own"


def test_a_source_in_lines_is_the_same_text() -> None:
    one = {"cells": [{"cell_type": "code", "source": "a\nb"}]}
    other = {"cells": [{"cell_type": "code", "source": ["a\n", "b"]}]}
    assert fingerprint(one) == fingerprint(other)
