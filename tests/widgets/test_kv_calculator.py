"""Controls change the sums; what cannot be is refused."""

from __future__ import annotations

import pytest

from labkit.errors import ConfigError
from labkit.figures.kv import KVLoad
from labkit.widgets import KVCalculator
from tests.support.pools import GPUS, MODELS


def calculator() -> KVCalculator:
    return KVCalculator(MODELS, GPUS)


def test_controls_change_the_answer() -> None:
    widget = calculator()
    before = widget.still()
    widget.set_state({"load": {**widget.load, "context": 1024}})
    assert widget.sums.sequence == 1024 * 23_040
    assert widget.still() != before
    widget.set_state({"model": "latent"})
    assert widget.result["title"].startswith("latent: the weights alone")


def test_show_takes_numbers_between_the_slider_s_steps() -> None:
    sums = calculator().show(context=1000, element_bits=32)
    assert sums.sequence == 1000 * 46_080


def test_words_say_what_the_bars_show() -> None:
    widget = KVCalculator(MODELS, GPUS, load=KVLoad(batch=3))
    assert "A token takes 23,040 bytes" in widget.summary()
    assert ["a token takes", "23,040 bytes"] in widget.result["facts"]
    assert widget.record().parts[1].num_bytes == 3 * 8192 * 23_040


def test_context_beyond_the_limit_is_flagged_until_it_is_taken_back() -> None:
    widget = KVCalculator(MODELS, GPUS)
    widget.show(context=16_384)
    assert widget.result["warning"].startswith("small takes at most 8,192 tokens")
    widget.show(context=8192)
    assert widget.result["warning"] == ""


def test_no_size_is_told_twice_in_the_page() -> None:
    result = KVCalculator(MODELS, GPUS, load=KVLoad(batch=3)).result
    parts = [part["size"] for part in result["parts"]]
    facts = [value for _, value in result["facts"]]
    told = [*parts, *facts, result["rest"]]
    assert len(set(told)) == len(told)
    assert not any(value in result["title"] for value in told)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"model": "huge"}, "has no setting 'huge'"),
        ({"gpu": "two"}, "has no setting 'two'"),
        ({"load": {"context": 0}}, "context=0: use 1 to 1,048,576"),
        ({"load": {"element_bits": 7}}, "element_bits=7: use one of 32, 16, 8, 4"),
        ({"load": {"contest": 1}}, "did you mean context"),
    ],
)
def test_unknown_choices_are_refused(wrong, said) -> None:
    widget = calculator()
    with pytest.raises(ConfigError, match=said):
        widget.set_trait(*next(iter(wrong.items())))


def test_nothing_to_choose_from_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one model"):
        KVCalculator({}, GPUS)
