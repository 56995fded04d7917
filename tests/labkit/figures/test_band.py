"""The band at a chapter's head says where the chapter stands."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from labkit.figures.band import band
from labkit.figures.palette import LIGHT, NAMES
from labkit.records import Layer


@pytest.mark.parametrize("layer", list(Layer))
def test_the_lit_layer_alone_is_named_and_all_have_their_colours(layer: Layer) -> None:
    drawn = band(layer)
    words = [node.text for node in ElementTree.fromstring(drawn).iter() if node.text]
    assert f"{layer.chapter} {NAMES[layer]}" in words
    others = {str(other.chapter) for other in Layer if other is not layer}
    assert others <= set(words)
    assert all(colour in drawn for colour in LIGHT.values())


def test_the_same_layer_gives_the_same_bytes() -> None:
    assert band(Layer.CACHE) == band(Layer.CACHE)


def test_the_dot_rests_for_whoever_asked_for_less_motion() -> None:
    for drawn in (band(Layer.CACHE), band(None)):
        assert 'class="run"' in drawn
        reduced = drawn.split("@media(prefers-reduced-motion:reduce)")[1]
        assert reduced.startswith("{.run{animation:none}}")


def test_the_indexs_band_names_no_layer() -> None:
    root = ElementTree.fromstring(band(None))
    words = [node.text for node in root.iter() if node.tag.endswith("text")]
    assert words == [str(layer.chapter) for layer in Layer]
