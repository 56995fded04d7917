"""The palette's promises, computed: contrast, neighbours, names."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest

from labkit.figures.palette import (
    DARK,
    INK_DARK,
    INK_LIGHT,
    LIGHT,
    NAMES,
    css_variables,
    layer_title,
)
from labkit.records import Layer
from tests.support.colour import BLINDNESS, contrast, difference, seen

THEMES = pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])


def test_colour_arithmetic_agrees_with_published_pairs() -> None:
    # Sharma, Wu and Dalal (2005), table 1, pairs 1, 20 and 25
    pairs = [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 2.5, 0), (61, -5, 29), 22.8977),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ]
    for one, two, wanted in pairs:
        assert difference(one, two) == pytest.approx(wanted, abs=1e-4)
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@THEMES
def test_every_layer_has_its_own_colour_and_name(colours) -> None:
    assert list(colours) == list(NAMES) == list(Layer)
    assert len(set(colours.values())) == len(set(NAMES.values())) == 12


@pytest.mark.parametrize("blindness", [None, *BLINDNESS])
@THEMES
def test_neighbours_differ_for_every_reader(colours, blindness) -> None:
    looks = [seen(colour, blindness) for colour in colours.values()]
    assert min(difference(a, b) for a, b in pairwise(looks)) >= 20


@THEMES
def test_any_two_layers_differ(colours) -> None:
    looks = [seen(colour) for colour in colours.values()]
    assert min(difference(a, b) for a, b in combinations(looks, 2)) >= 15


@pytest.mark.parametrize(
    ("colours", "backgrounds"),
    [(LIGHT, ("#ffffff",)), (DARK, (INK_DARK["bg"], "#212121"))],
    ids=["light", "dark"],
)
def test_layer_colours_can_carry_text_on_their_card(colours, backgrounds) -> None:
    for background in backgrounds:
        assert all(contrast(c, background) >= 4.5 for c in colours.values())


@pytest.mark.parametrize("ink", [INK_LIGHT, INK_DARK], ids=["light", "dark"])
def test_quiet_text_is_readable(ink) -> None:
    assert contrast(ink["fg"], ink["bg"]) >= 7
    assert contrast(ink["mut"], ink["soft"]) >= 4.5


def test_css_has_both_values_of_every_layer() -> None:
    css = css_variables()
    for layer in Layer:
        assert f"--lab-{layer}:{LIGHT[layer]};" in css
        assert f"--lab-{layer}:{DARK[layer]};" in css


def test_title_of_a_layer_has_number_and_name() -> None:
    assert layer_title(Layer.STREAMING) == "10 Streaming"
