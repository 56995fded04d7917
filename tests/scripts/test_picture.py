"""The README's picture is drawn from the recording, or there is none."""

from __future__ import annotations

from pathlib import Path

from labkit.records import Layer
from labkit.trace import Span, Trace
from scripts import generate
from scripts.picture import draw


def record(root: Path) -> None:
    trace = Trace("r1")
    trace.add(Span("tokenize", Layer.TOKENS, 0.0, 0.25, trace.key()))
    (root / "chapters" / "data").mkdir(parents=True)
    trace.save(root / "chapters" / "data" / "10_request.json")


def test_without_a_recording_there_is_no_picture(tmp_path: Path) -> None:
    assert draw(tmp_path) is None
    assert generate.image(None) == ""


def test_the_picture_shows_the_recording_in_drawing_and_words(tmp_path: Path) -> None:
    record(tmp_path)
    picture = draw(tmp_path)
    assert picture is not None
    assert picture.svg.startswith("<svg")
    assert "250.0 ms" in picture.alt
    line = generate.image(picture)
    assert line.startswith("![One request")
    assert line.endswith("](chapters/images/request.svg)\n")


def test_drawing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    record(tmp_path)
    assert draw(tmp_path) == draw(tmp_path)
