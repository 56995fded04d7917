"""TraceBar in Python: several traces on one scale, another trace, links, the still."""

from __future__ import annotations

import pytest

from labkit.errors import ConfigError
from labkit.records import Layer
from labkit.widgets import TraceBar
from labkit.widgets.trace_bar import chapter_links
from tests.support.requests import trace


def test_trace_bar_starts_at_its_lit_layer_and_refuses_others() -> None:
    bar = TraceBar(trace(), lit=Layer.STREAMING)
    assert bar.selected == "streaming"
    assert [layer["chapter"] for layer in bar.drawing["layers"]] == [*range(1, 13)]
    with pytest.raises(ValueError, match="plumbing"):
        bar.selected = "plumbing"


def test_trace_bar_draws_several_traces_on_one_scale() -> None:
    pair = [trace("cold"), trace("warm", prefill_s=0.01)]
    bar = TraceBar(pair, names=["first time", "second time"])
    assert bar.record().title == (
        "first time takes 412.0 ms and second time takes 322.0 ms"
    )
    assert bar.drawing["total_ms"] == 412.0
    assert [s["total_ms"] for s in bar.drawing["strips"]] == [412.0, 322.0]
    assert "second time" in bar.still()
    assert TraceBar(pair).drawing["strips"][1]["name"] == "warm"
    with pytest.raises(ConfigError, match="2 traces and 1 names"):
        TraceBar(pair, names=["one"])
    with pytest.raises(ConfigError, match="at least one trace"):
        TraceBar([])


def test_trace_bar_shows_another_trace_and_keeps_the_chosen_layer() -> None:
    bar = TraceBar(trace(), lit=Layer.STREAMING)
    bar.selected = "compute"
    bar.show(trace("warm", prefill_s=0.01))
    assert bar.drawing["total_ms"] == bar.record().total_ms == 322.0
    assert bar.selected == "compute"
    assert bar.drawing["lit"] == "streaming"


def test_layer_without_time_says_so_in_words_in_its_still() -> None:
    still = TraceBar(trace(), lit=Layer.CACHE).still()
    assert "not timed" in still
    assert "\N{EN DASH}" not in still


def test_chapters_are_linked_where_their_notebooks_lie(tmp_path) -> None:
    (tmp_path / "07_cache.ipynb").write_text("{}")
    (tmp_path / "notes.ipynb").write_text("{}")
    assert chapter_links(tmp_path) == {"cache": "07_cache.ipynb"}
