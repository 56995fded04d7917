"""Normalising: what belongs to one run goes, what a reader would miss is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts.bookbuild.normalise import BuildError, comparable, normalise, slugs

ROOT = Path("/home/ann/book")
VIEW = "application/vnd.jupyter.widget-view+json"


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def shown(count: int | None = None, **data: str) -> dict[str, Any]:
    mimes = {name.replace("_", "/"): value for name, value in data.items()}
    kind = "display_data" if count is None else "execute_result"
    more = {} if count is None else {"execution_count": count}
    return {"output_type": kind, "data": mimes, "metadata": {"x": 1}, **more}


def code(source: str, *outputs: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    cell = {"cell_type": "code", "id": "random", "execution_count": 77}
    return {**cell, "source": source, "metadata": metadata, "outputs": [*outputs]}


def book(*cells: dict[str, Any]) -> dict[str, Any]:
    return {"cells": [*cells], "metadata": {"widgets": {}}, "nbformat": 4}


def outputs(*given: dict[str, Any], **metadata: Any) -> list[dict[str, Any]]:
    cell = normalise(book(code("x", *given, **metadata)), ROOT)["cells"][0]
    found: list[dict[str, Any]] = cell["outputs"]
    return found


def test_counts_ids_and_metadata_do_not_depend_on_the_run() -> None:
    prose = {"cell_type": "markdown", "id": "r", "source": "# Hi", "metadata": {}}
    made = normalise(book(prose, code("x = 1", tags=["a"], scrolled=True)), ROOT)
    assert [cell["id"] for cell in made["cells"]] == ["hi", "x-1"]
    assert made["cells"][1]["metadata"] == {"tags": ["a"]}
    assert made["cells"][1]["execution_count"] == 1
    assert set(made["metadata"]) == {"kernelspec", "language_info"}
    assert "outputs" not in made["cells"][0]


def test_ids_come_from_names_or_first_lines_each_once() -> None:
    cells = [code("# %% 1\nÄ = 2"), code("a"), code("a"), code("", name="My name")]
    cells.append(code("x" * 80))
    found = slugs(book(*cells))
    assert found == ["1", "a", "a-2", "my-name", "x" * 48]


def test_streams_are_joined_and_come_first() -> None:
    made = outputs(stream("a\n"), shown(**{"text_plain": "p"}), stream("b\n"))
    assert made[0] == {"output_type": "stream", "name": "stdout", "text": "a\nb\n"}
    assert [output["output_type"] for output in made] == ["stream", "display_data"]


def test_live_views_go_and_their_stills_stay() -> None:
    live = shown(5, text_html="<img>", text_plain="words")
    live["data"][VIEW] = {"model_id": "1"}
    (made,) = outputs(live)
    assert made["data"] == {"text/html": "<img>", "text/plain": "words"}
    assert (made["execution_count"], made["metadata"]) == (1, {})


def test_a_line_that_counted_seconds_leaves_nothing() -> None:
    assert outputs(stream("\rStarting (00:00)\rStarting (00:01)\r   \r")) == []
    (made,) = outputs(stream("\rStarting (00:01)\r\rready\n"))
    assert made["text"] == "ready\n"


def test_a_cell_for_the_readers_own_page_keeps_no_output() -> None:
    assert outputs(shown(5, text_html="<img>"), tags=["live"]) == []


def test_what_only_a_live_page_could_show_leaves_nothing() -> None:
    assert outputs(shown(**{"application_javascript": "x()"})) == []


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("<A object at 0x7f3a12345678>", "<A object at 0x…>"),
        ("/tmp/ipykernel_12/345.py:1", "<cell>:1"),
        ("/home/ann/book/chapters/x", "chapters/x"),
    ],
)
def test_names_of_this_machine_are_scrubbed(text: str, kept: str) -> None:
    assert outputs(stream(text))[0]["text"] == kept
    assert outputs(shown(text_plain=text))[0]["data"]["text/plain"] == kept


def test_progress_bars_go() -> None:
    assert outputs(stream("\r  0%|\r100%|\n", "stderr"), stream("\n", "stderr")) == []


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (stream("UserWarning: old\n", "stderr"), "wrote to stderr: UserWarning"),
        (shown(**{VIEW.replace("/", "_", 1): "x"}), "widget without a still"),
        (shown(text_html="<script>x</script>"), "shows a script"),
    ],
)
def test_what_a_reader_would_see_broken_is_refused(
    output: dict[str, Any], reason: str
) -> None:
    with pytest.raises(BuildError, match=f"cell x .*{reason}|cell x {reason}"):
        outputs(output)


def test_a_solution_has_to_pass_its_check() -> None:
    for said in ([stream("✓ a claim\n✗ 10.1: 3 is not right\n")], []):
        with pytest.raises(BuildError, match="solution in cell x does not pass"):
            outputs(*said, tags=["solution"])


def test_a_solution_becomes_text_and_the_counts_go_on_without_it() -> None:
    solved = code("x", stream("✓ 1\n"), tags=["solution"])
    made = normalise(book(code("w"), solved, code("y")), ROOT)["cells"]
    assert [cell["cell_type"] for cell in made] == ["code", "markdown", "code"]
    assert made[1]["source"].startswith("<details>")
    assert [cell.get("execution_count") for cell in made] == [1, None, 2]


def test_plumbing_is_folded() -> None:
    made = normalise(book(code("y"), code("z", tags=["plumbing"])), ROOT)
    hidden = [cell["metadata"].get("jupyter") for cell in made["cells"]]
    assert hidden == [None, {"source_hidden": True}]


def test_measurements_may_differ_and_nothing_else() -> None:
    old = book(code("a", stream("1"), tags=["measurement"]), code("b", stream("2")))
    new = book(code("a", stream("9"), tags=["measurement"]), code("b", stream("2")))
    assert comparable(old) == comparable(new)
    new["cells"][1]["outputs"] = [stream("3")]
    assert comparable(old) != comparable(new)
