"""SamplingBench and OrderCompare without a page: knobs, order, refusals, words."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import traitlets

from labkit.errors import ConfigError
from labkit.records import OrderView
from labkit.widgets import OrderCompare, SamplingBench
from labkit.widgets.sampling_bench import COUNTING, KNOBS, STAGES
from tests.support.benches import FourOrders, Stages, word


def test_bench_runs_the_stages_in_its_order_with_its_knobs() -> None:
    source = Stages()
    bench = SamplingBench(source, word, temperature=2.0)
    assert source.calls == [({**KNOBS, "temperature": 2.0}, list(STAGES))]
    assert [row[0] for row in bench.result["rows"]] == ["model", *STAGES, "draw"]
    assert bench.views[4].name == "temperature"


def test_each_change_is_one_run_and_one_result() -> None:
    source = Stages()
    bench = SamplingBench(source, word)
    bench.turn(top_p=0.5)
    bench.order = [*STAGES[1:], STAGES[0]]
    assert [call[1][-1] for call in source.calls] == ["typical"] * 2 + [STAGES[0]]
    assert bench.result["tick"] == len(source.calls) == 3


def test_title_says_survivors_and_the_picked_token() -> None:
    bench = SamplingBench(Stages(), word, seed=4)
    assert bench.picked == 4
    assert bench.record().title == "384 of 49,152 tokens survive; the draw picks '3'"
    assert [row[3] for row in bench.result["top"]].count(True) == 1


def test_a_token_picked_below_the_ten_is_listed_after_them() -> None:
    bench = SamplingBench(Stages(), word, seed=11)
    assert bench.result["top"][-1] == ["|", None, None, True]
    assert len(bench.result["top"]) == 11


def test_summary_names_the_stages_that_did_something() -> None:
    bench = SamplingBench(Stages(), word, **{**KNOBS, "temperature": 0.7})
    assert "temperature 0.7 leaves" in bench.summary()
    assert "min_p" not in bench.summary()


def test_at_temperature_0_the_likeliest_is_said_to_be_taken() -> None:
    bench = SamplingBench(Stages(), word, temperature=0.0, top_p=0.5)
    title = "Greedy takes the likeliest of 49,152 tokens, 'The'"
    assert bench.record().title == bench.result["title"] == title
    assert "temperature 0 is greedy" in bench.summary()
    assert "no stage cuts and no noise counts" in bench.summary()
    assert bench.result["is_greedy"]


def test_penalties_on_what_is_written_say_that_nothing_is() -> None:
    empty = SamplingBench(Stages(num_written=0), word, frequency_penalty=1.0)
    assert tuple(empty.idle) == COUNTING
    words = "frequency_penalty 1 does nothing, nothing written yet"
    assert words in empty.summary()
    full = SamplingBench(Stages(num_written=1), word, frequency_penalty=1.0)
    assert not full.idle
    assert "frequency_penalty 1 leaves 24,576" in full.summary()


@pytest.mark.parametrize("order", [STAGES[1:], (*STAGES[1:], STAGES[1])])
def test_an_order_has_every_stage_once(order) -> None:
    bench = SamplingBench(Stages())
    with pytest.raises(traitlets.TraitError, match="once"):
        bench.order = list(order)


def test_knobs_and_stages_that_are_not_there_are_refused_by_name() -> None:
    bench = SamplingBench(Stages())
    with pytest.raises(ConfigError, match=r"did you mean temperature\?"):
        bench.turn(temprature=1.0)
    with pytest.raises(ConfigError, match=r"did you mean top_k\?"):
        SamplingBench(Stages(), top_kk=1)
    with pytest.raises(ConfigError, match="no setting 'dry'"):
        bench.order = ["dry"]
    with pytest.raises(ConfigError, match=r"did you mean min_p\?"):
        OrderCompare(FourOrders(), minp=0.1)


def test_engines_that_agree_are_said_to_agree() -> None:
    widget = OrderCompare(FourOrders(), word)
    assert widget.record().title == "All engines give the same distribution"
    widget.turn(temperature=2.0)
    title = "From vLLM to SGLang, 50.0 % of the probability would have to move"
    assert widget.record().title == widget.result["title"] == title
    assert [view["title"] for view in widget.result["views"]][2] == "llama.cpp"


def test_the_bars_of_all_engines_are_of_the_same_tokens_and_add_up_to_1() -> None:
    widget = OrderCompare(Peaks(), word)
    assert widget.result["tokens"][-1] == "all others"
    bars = {view["name"]: view["bars"] for view in widget.result["views"]}
    assert bars == {
        "vllm": [0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.015625],
        "sglang": [0.6, 0.4, 0.0, 0.0, 0.0, 0.0, 0.0],
    }


def test_a_probability_that_the_source_did_not_list_is_unknown_not_zero() -> None:
    widget = OrderCompare(Peaks(kept=900), word)
    assert widget.result["views"][1]["bars"] == [0.6, 0.4, *[None] * 5]


def test_stages_that_no_slider_turns_are_left_out_of_an_order() -> None:
    stages = OrderCompare(Peaks(), word).result["views"][0]["stages"]
    assert stages == ["temperature", "top_k+top_p"]


class Peaks(FourOrders):
    """Two engines that do not list the same tokens."""

    def __init__(self, kept: int = 2) -> None:
        super().__init__()
        self.kept = kept

    def compare(self, knobs: Mapping[str, float]) -> tuple[OrderView, ...]:
        order = ("logit_bias", "temperature", "top_k+top_p")
        long, short = tuple((i, 0.5 / 2**i) for i in range(8)), ((0, 0.6), (1, 0.4))
        return (
            OrderView("vllm", order, 8, long, 1.0, (0.0, 0.2)),
            OrderView("sglang", order, self.kept, short, 1.0, (0.2, 0.0)),
        )


@pytest.mark.parametrize("kind", [SamplingBench, OrderCompare])
def test_a_prompt_of_the_readers_own_is_worked_on_and_told(kind) -> None:
    source = Stages() if kind is SamplingBench else FourOrders()
    widget = kind(source, word, temperature=0.5)
    widget.ask([{"role": "user", "content": "Why?"}])
    assert source.heard == [[{"role": "user", "content": "Why?"}]]
    assert widget.knobs["temperature"] == 0.5
    assert widget.summary().startswith("\u201cWhy?\u201d: ")
    assert widget.result["tick"] == 2


def test_penalties_wait_again_where_the_new_prompt_has_no_output() -> None:
    bench = SamplingBench(Stages(num_written=3), word)
    assert not bench.idle
    bench.ask([{"role": "user", "content": "Why?"}])
    assert tuple(bench.idle) == COUNTING
