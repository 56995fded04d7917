"""Races: the record, its lines and the plotly figure agree."""

from __future__ import annotations

import json

import pytest

from labkit.errors import ConfigError
from labkit.figures import race
from labkit.figures.drawings import Lines, Series
from labkit.figures.race import Lane, Race, race_lines
from labkit.records import Layer

RACE = Race(
    chunk_chars=10,
    num_chunks=3,
    seen=(10, 20, 30),
    lanes=(
        Lane("full", (1.0, 3.0, 6.0), (10, 30, 60), (10, 30, 60)),
        Lane("memo", (1.0, 1.5, 2.0), (10, 12, 15), (10, 20, 30)),
    ),
)


def test_lines_are_the_cumulative_values() -> None:
    drawing = race_lines(RACE)
    assert drawing.title == "full takes 3.0 times as long as memo"
    assert drawing.series[0].y == (1.0, 3.0, 6.0)
    assert drawing.series[1].x == (10, 20, 30)


@pytest.mark.parametrize(
    ("what", "title"),
    [
        ("nodes", "full writes 4.0 times the DOM nodes of memo"),
        ("parsed", "full parses 2.0 times the characters of memo"),
    ],
)
def test_each_quantity_has_a_title_that_states_the_finding(what, title) -> None:
    assert race_lines(RACE, what).title == title


def test_race_without_times_shows_what_it_has() -> None:
    lanes = (Lane("a", (), (), (1, 2)), Lane("b", (), (), (3, 4)))
    drawing = race_lines(Race(5, 2, (5, 10), lanes))
    assert drawing.title == "b parses 2.0 times the characters of a"


def test_race_survives_json() -> None:
    assert Race.from_dict(json.loads(json.dumps(RACE.to_dict()))) == RACE


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {**RACE.to_dict(), "seen": [1]},
        {**RACE.to_dict(), "lanes": [{"name": "x", "ms": ["fast"]}]},
        {**RACE.to_dict(), "lanes": 3},
    ],
)
def test_what_is_no_race_is_refused(broken) -> None:
    with pytest.raises(ConfigError, match="no record of a race"):
        Race.from_dict(broken)


def test_plotly_figure_shows_the_same_lines() -> None:
    picture = race.figure(race_lines(RACE))
    assert [tuple(line.y) for line in picture.data] == [s.ms for s in RACE.lanes]


def test_plotly_figure_follows_scale_and_style() -> None:
    lines = (Series("roof", (1, 512), (5.0, 9.0), Layer.CACHE, "dash"),)
    picture = race.figure(Lines("t", "a", "x", "y", lines, "log2", "log10"))
    assert (picture.layout.xaxis.type, picture.layout.yaxis.type) == ("log", "log")
    assert picture.data[0].line.dash == "dash"
    assert picture.layout.annotations[0].x == pytest.approx(2.709, abs=0.001)


def test_names_of_lines_that_end_together_are_moved_apart() -> None:
    ends = (1.0, 0.96, 3.0)
    lines = tuple(Series(f"s{y}", (1, 2), (1.0, y), Layer.CACHE) for y in ends)
    picture = race.figure(Lines("t", "a", "x", "y", lines))
    assert [note.yshift for note in picture.layout.annotations] == [15, 0, 0]


def test_a_logarithmic_axis_has_ticks_whatever_its_span() -> None:
    def ticks(low: float, high: float) -> list[float]:
        lines = (Series("a", (1.0, 2.0), (low, high), Layer.CACHE),)
        picture = race.figure(Lines("t", "a", "x", "y", lines, y_scale="log10"))
        return [v for v in picture.layout.yaxis.tickvals if low <= v <= high]

    assert ticks(3, 40) == [5, 10, 20]
    assert ticks(3, 4000) == [10, 100, 1000]


def test_a_point_is_told_with_the_names_and_units_of_its_axes() -> None:
    lines = (Series("measured", (1, 6), (5.0, 116.6), Layer.CACHE),)
    axes = ("tokens so far", "milliseconds a token")
    told = race.figure(Lines("t", "a", *axes, lines)).data[0].hovertemplate
    for part in ("%{fullData.name}", "tokens so far: %{x", "milliseconds a token: %{y"):
        assert part in told


def test_right_margin_is_as_wide_as_the_names_there_need() -> None:
    def margin(*series: Series) -> float:
        return float(race.figure(Lines("t", "a", "x", "y", series)).layout.margin.r)

    short = Series("ab", (0, 10), (1.0, 2.0), Layer.CACHE)
    long = Series("every token again, without a cache", (0, 2), (1.0, 2.0), Layer.CACHE)
    assert margin(short) < 40
    assert margin(short, long) == margin(short)  # it ends far from the edge
    at_the_edge = Series(long.name, (0, 10), (1.0, 2.0), Layer.CACHE)
    assert 180 < margin(short, at_the_edge) <= 220
