"""Stills: valid, the same bytes every time, readable where styles are dropped."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from labkit.config import EngineConfig
from labkit.figures.blocks import block_grid, owners_of
from labkit.figures.drawings import Chip, Lines, Series, StreamDrawing, Table
from labkit.figures.kv import KVLoad, kv_memory
from labkit.figures.number_line import number_line
from labkit.figures.pace import stream_drawing
from labkit.figures.schedule import gantt, schedule_run
from labkit.figures.stills import svg
from labkit.figures.svg import label, measure, number, ticks, wrap
from labkit.figures.timeline import life, lives
from labkit.figures.ttft import waterfall
from labkit.records import Layer
from tests.support.pools import GPUS, MODELS, pool_frames
from tests.support.requests import chunks, trace
from tests.support.schedules import ARRIVALS, reports

SERIES = (
    Series("one", (0, 1, 2), (0, 10, 20), Layer.STREAMING),
    Series("two", (0, 1, 2), (0, 10, 19.5), Layer.NETWORK),
)
ROOFS = (
    Series("bytes", (1, 512), (5.0, 5.0), Layer.CACHE, "dash"),
    Series("measured", (1, 16, 512), (6, 7.5, 300), Layer.COMPUTE, "line+dots"),
    Series("live", (1, 8), (6.1, 6.4), Layer.SAMPLING, "dots"),
)
RUNS = [
    schedule_run(reports(n), ARRIVALS, EngineConfig(max_step_tokens=n))
    for n in (80, 20)
]
FRAMES = pool_frames()
DRAWINGS = {
    "lines": Lines("Lines", "Two lines.", "tokens", "ms", SERIES),
    "roofs": Lines("Roofs", "Three.", "tokens", "ms", ROOFS, "log2", "log10"),
    "gantt": gantt(RUNS),
    "memory": kv_memory(MODELS["small"], GPUS["one"], KVLoad(batch=4)),
    "full memory": kv_memory(MODELS["latent"], GPUS["one"], KVLoad(batch=1024)),
    "blocks": block_grid(FRAMES[3], owners_of(FRAMES), 4, lambda i: f"日本{i}"),
    "number line": number_line(
        ("How many?", "You said 40."), (1, 10_000), (230, "230 ms"), (40, "40 ms")
    ),
    "table": Table("Table", "A row.", ("a", "b"), (("<1>", "&"),)),
    "trace": life(trace(), Layer.STREAMING),
    "traces": lives([trace(), trace("warm")], ["first", "second"], Layer.CACHE),
    "waterfall": waterfall(trace()),
    "stream": stream_drawing(chunks(), "done"),
}
EVERY = pytest.mark.parametrize("drawing", DRAWINGS.values(), ids=list(DRAWINGS))
SVG = "{http://www.w3.org/2000/svg}"


@EVERY
def test_still_is_xml_with_title_and_description(drawing) -> None:
    root = ElementTree.fromstring(svg(drawing))
    assert root.findtext(f"{SVG}title") == drawing.title
    assert root.findtext(f"{SVG}desc") == drawing.alt
    assert root.get("role") == "img"


@EVERY
def test_still_has_nothing_that_a_sanitizer_or_a_second_copy_breaks(drawing) -> None:
    text = svg(drawing)
    assert not re.search(r"<script|href=| id=| style=|url\(", text)


@EVERY
def test_still_paints_its_background_first(drawing) -> None:
    first = ElementTree.fromstring(svg(drawing)).find(f"{SVG}rect")
    assert first is not None
    assert first.get("class") == "f-bg"
    assert first.get("fill") == "#ffffff"


@EVERY
def test_numbers_have_at_most_one_decimal(drawing) -> None:
    shapes = svg(drawing).split("</style>")[1]
    places = re.findall(r'(?: x| y| cx| cy| width| height| d)="([^"]*)"', shapes)
    assert places
    assert not [p for p in places if re.search(r"\.\d\d", p)]


@EVERY
def test_every_colour_has_a_dark_value(drawing) -> None:
    text = svg(drawing)
    used = set(re.findall(r"[fs]-[a-z]+", text.split("</style>")[1]))
    assert used == set(re.findall(r"\.([fs]-[a-z]+)\{", text))


@EVERY
def test_nothing_is_drawn_outside_the_card(drawing) -> None:
    root = ElementTree.fromstring(svg(drawing))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for node in root.iter(f"{SVG}text"):
        x, y = float(node.get("x", 0)), float(node.get("y", 0))
        wide = measure(node.text or "", float(node.get("font-size", 12)))
        left = {"start": x, "middle": x - wide / 2, "end": x - wide}
        start = left[node.get("text-anchor", "start")]
        assert start >= -2, node.text
        assert start + wide <= width + 2, node.text
        assert 0 < y <= height, node.text


def test_stills_do_not_depend_on_the_hash_seed() -> None:
    code = (
        "from tests.labkit.figures.test_stills import DRAWINGS, svg\n"
        "print('\\n'.join(svg(d) for d in DRAWINGS.values()))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(outputs) == 1
    assert b"<svg" in outputs.pop()


def test_names_of_lines_that_end_together_do_not_overlap() -> None:
    root = ElementTree.fromstring(svg(DRAWINGS["lines"]))
    names = {n.text: float(n.get("y", 0)) for n in root.iter(f"{SVG}text")}
    assert abs(names["one"] - names["two"]) >= 16


def test_long_stream_says_how_much_it_leaves_out() -> None:
    many = tuple(Chip("a token", float(i)) for i in range(500))
    text = svg(StreamDrawing("Long", "Many.", many, (), ()))
    assert re.search(r"and \d+ more pieces", text)


def test_characters_that_xml_cannot_hold_are_replaced() -> None:
    text = svg(Table("T", "A.", ("a",), (("\x00\x1b\ud800",),)))
    ElementTree.fromstring(text)
    assert "\ufffd\ufffd\ufffd" in text


def test_lines_without_extent_can_be_drawn() -> None:
    flat = Series("flat", (5.0,), (0.0,), Layer.CACHE)
    ElementTree.fromstring(svg(Lines("F", "A.", "x", "y", (flat,))))


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1"), (1.25, "1.2"), (-0.01, "0"), (10.0, "10")]
)
def test_number_is_short(value, text) -> None:
    assert number(value) == text


def test_ticks_are_round_and_inside() -> None:
    assert ticks(0, 100) == [0, 20, 40, 60, 80, 100]
    assert ticks(0, 0.7, 3) == [0, 0.25, 0.5]
    assert label(-12345.0) == "\u221212,345"


def test_wrap_keeps_every_word() -> None:
    lines = wrap("one two three four", 60)
    assert len(lines) > 1
    assert " ".join(lines) == "one two three four"


def test_a_logarithmic_axis_has_powers_at_equal_distances() -> None:
    root = ElementTree.fromstring(svg(DRAWINGS["roofs"]))
    marks = [n for n in root.iter(f"{SVG}text") if n.get("text-anchor") == "middle"]
    places = [float(n.get("x", 0)) for n in marks if (n.text or "").isdigit()]
    gaps = {round(b - a) for a, b in pairwise(places)}
    assert len(places) == 10  # 1, 2, 4 ... 512
    assert max(gaps) - min(gaps) <= 1


def test_a_bound_is_dashed_and_what_was_measured_has_dots() -> None:
    text = svg(DRAWINGS["roofs"])
    assert text.count('stroke-dasharray="6 4"') == 1
    assert text.count("<circle") == 3 + 2
