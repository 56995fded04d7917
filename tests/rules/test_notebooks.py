"""Every committed chapter is one clean run of its source and reads without a kernel."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest

import labkit.widgets
from labkit.book import Lab
from labkit.book.parts import INDEX
from labkit.widgets import LabWidget
from scripts.bookbuild.solutions import fold, opened
from tests.rules import names, notebooks
from tests.rules.tree import ROOT

CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
SOURCES = sorted((ROOT / "chapters" / "src").glob("*.py"))
WIDGETS = {
    name
    for name in labkit.widgets.__all__
    if isinstance(kind := getattr(labkit.widgets, name), type)
    and issubclass(kind, LabWidget)
    and kind is not LabWidget
}


def code(source: str, count: int, **extra: Any) -> dict[str, Any]:
    cell = {"cell_type": "code", "id": f"c{count}", "metadata": {}, "source": source}
    return {**cell, "execution_count": count, "outputs": [], **extra}


def prose(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": "p", "metadata": {}, "source": source}


def good() -> notebooks.Notebook:
    """A small notebook without a fault."""
    cells = [code("lab = start(chapter=3)", 1), prose("Five words are not many.")]
    cells.append(code("A()\nB()\n" + "claim('x', True)\n" * 5, 2))
    return {"cells": cells, "metadata": {"kernelspec": {}}, "nbformat": 4}


def changed(index: int, **changes: Any) -> notebooks.Notebook:
    notebook = copy.deepcopy(good())
    notebook["cells"][index].update(changes)
    return notebook


def test_every_source_has_its_notebook() -> None:
    assert SOURCES
    assert [p.stem for p in SOURCES] == [p.stem for p in CHAPTERS]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
class TestChapter:
    def test_is_a_valid_notebook(self, path: Path) -> None:
        nbformat.validate(nbformat.read(path, as_version=4))

    def test_equals_its_source(self, path: Path) -> None:
        source = jupytext.read(path.parent / "src" / f"{path.stem}.py")
        assert notebooks.pairing_faults(notebooks.load(path), source) == []

    def test_is_one_clean_run(self, path: Path) -> None:
        assert notebooks.form_faults(notebooks.load(path)) == []

    def test_has_short_cells(self, path: Path) -> None:
        assert notebooks.budget_faults(notebooks.load(path)) == []

    def test_is_small_and_the_same_on_every_machine(self, path: Path) -> None:
        assert notebooks.size_faults(path.read_text(encoding="utf-8")) == []

    def test_starts_its_own_chapter(self, path: Path) -> None:
        assert notebooks.start_faults(notebooks.load(path), path.stem) == []

    def test_says_at_its_top_what_it_is_and_what_to_press(self, path: Path) -> None:
        faults = notebooks.head_faults(notebooks.load(path))
        if path.stem == INDEX:  # it takes no time of its own
            faults.remove("the head lacks the minutes")
        assert faults == []

    def test_has_claims_and_widgets(self, path: Path) -> None:
        if path.stem != INDEX:  # it leads to the other parts and shows nothing itself
            assert notebooks.content_faults(notebooks.load(path), WIDGETS) == []

    def test_uses_names_that_exist(self, path: Path) -> None:
        cells = notebooks.code_cells(opened(notebooks.load(path)))
        sources = [notebooks.text_of(cell) for cell in cells]
        assert [f for s in sources for f in names.name_faults(s, Lab)] == []


def test_first_cells_differ_in_the_call_of_start_only() -> None:
    chapters = [notebooks.load(path) for path in CHAPTERS if path.stem != INDEX]
    assert len({notebooks.first_cell(chapter) for chapter in chapters}) == 1


def test_chapters_together_are_small() -> None:
    total = sum(path.stat().st_size for path in CHAPTERS)
    assert total <= notebooks.MAX_BYTES_TOGETHER


def test_a_good_notebook_has_no_fault() -> None:
    assert notebooks.form_faults(good()) == []
    assert notebooks.budget_faults(good()) == []
    assert notebooks.start_faults(good(), "03_gateway") == []
    assert notebooks.content_faults(good(), {"A", "B"}) == []
    assert notebooks.pairing_faults(good(), good()) == []


@pytest.mark.parametrize(
    "notebook",
    [
        changed(2, execution_count=7),
        changed(2, metadata={"tags": ["solution"]}),
        changed(1, metadata={"collapsed": True}),
        {**good(), "metadata": {"widgets": {}}},
        changed(0, outputs=[{"output_type": "error", "ename": "ValueError"}]),
        changed(
            0,
            outputs=[
                {
                    "output_type": "display_data",
                    "data": {"application/vnd.jupyter.widget-view+json": {}},
                }
            ],
        ),
    ],
    ids=["count", "solution", "cell-metadata", "widget-state", "error", "widget-view"],
)
def test_an_unclean_run_is_found(notebook: notebooks.Notebook) -> None:
    assert len(notebooks.form_faults(notebook)) == 1


@pytest.mark.parametrize(
    "notebook",
    [
        changed(0, source="x\n" * 13),
        changed(0, source="x\n" * 21, metadata={"jupyter": {"source_hidden": True}}),
        changed(0, source="x" * 89),
        changed(1, source="word " * 121),
    ],
    ids=["lines", "folded-lines", "columns", "words"],
)
def test_a_cell_over_its_budget_is_found(notebook: notebooks.Notebook) -> None:
    assert len(notebooks.budget_faults(notebook)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "x" * 400_001,
        "<Thing object at 0xdeadbeef>",
        "Traceback (most recent call last)",
        'open("/home/ann/x")',
        "/tmp/ipykernel_12/3.py",
    ],
)
def test_what_differs_from_run_to_run_is_found(text: str) -> None:
    assert notebooks.size_faults(text)


def test_a_relative_path_and_a_web_address_are_allowed() -> None:
    assert notebooks.size_faults("data/home/x.json https://example.org/home/x") == []


def test_a_folded_cell_may_be_longer() -> None:
    folded = {"jupyter": {"source_hidden": True}}
    cell = changed(0, source="x\n" * 20, metadata=folded)
    assert notebooks.budget_faults(cell) == []


@pytest.mark.parametrize("name", ["04_safety", "index", "appendix_speculation"])
def test_a_start_of_another_part_is_found(name: str) -> None:
    assert len(notebooks.start_faults(good(), name)) == 1


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("index", 'start(chapter="index")'),
        ("appendix_speculation", 'start(appendix="speculation")'),
    ],
)
def test_the_index_and_an_appendix_start_by_their_names(name: str, call: str) -> None:
    assert notebooks.start_faults(changed(0, source=f"lab = {call}"), name) == []


def test_a_chapter_that_shows_too_much_code_is_found() -> None:
    cells = [code("x = 1\n\n" * 6, count) for count in range(1, 26)]
    notebook = {**good(), "cells": cells}
    assert notebooks.budget_faults(notebook) == []
    cells.append(code("x = 1", 26))
    assert notebooks.budget_faults(notebook) == [
        "151 visible lines of code, at most 150"
    ]
    cells[-1]["metadata"] = {"jupyter": {"source_hidden": True}}
    assert notebooks.budget_faults(notebook) == []


def solved(source: str) -> dict[str, Any]:
    said = {"name": "stdout", "output_type": "stream", "text": "✓ 3.1: right.\n"}
    tagged = {"tags": ["solution"]}
    return code(source, 9, outputs=[said], metadata=tagged)


def test_a_solution_is_compared_and_measured_as_code() -> None:
    source, built = good(), good()
    source["cells"].append(solved("x = 1\nlab.check('3.1', x)"))
    built["cells"].append(fold(source["cells"][-1]))
    assert notebooks.pairing_faults(built, source) == []
    assert notebooks.budget_faults(built) == []
    source["cells"][-1]["source"] = "x = 2"
    assert len(notebooks.pairing_faults(built, source)) == 1
    built["cells"][-1] = fold(solved("x\n" * 21))
    assert len(notebooks.budget_faults(built)) == 1


def test_a_head_that_does_not_say_what_to_press_is_found() -> None:
    head = "# 3 · T\n\n![Layer 3](images/x.svg)\n\n*40 minutes.* Press Shift+Enter."
    notebook = {**good(), "cells": [prose(head)]}
    assert notebooks.head_faults(notebook) == []
    assert len(notebooks.head_faults({**good(), "cells": [prose("Words.")]})) == 4


def test_the_set_up_may_stand_below_a_cell_for_colab() -> None:
    notebook = good()
    colab = code("install()", 1, metadata={"tags": ["plumbing", "colab"]})
    notebook["cells"].insert(0, colab)
    assert notebooks.start_faults(notebook, "03_gateway") == []


def test_too_few_claims_or_widgets_are_found() -> None:
    assert len(notebooks.content_faults(changed(2, source="pass"), {"A", "B"})) == 2


def test_a_changed_source_is_found() -> None:
    assert len(notebooks.pairing_faults(good(), changed(0, source="y"))) == 1
    shorter = {**good(), "cells": good()["cells"][:1]}
    assert len(notebooks.pairing_faults(good(), shorter)) == 1


def test_a_name_that_does_not_exist_is_found() -> None:
    class Handle:
        engine: object

        def source(self) -> None: ...

    assert names.name_faults("%pip install x\nlab.source; lab.engine", Handle) == []
    assert len(names.name_faults("lab.sauce", Handle)) == 1
    assert len(names.name_faults("from labkit.clock import Sundial", Handle)) == 1
