"""The bench runs the engine's stages: recorded vectors, frozen noise, refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from labkit.errors import ConfigError
from labkit.labs.sampling.bench import COMPARED, Bench, preset_orders, total_variation
from labkit.labs.sampling.logits import next_logits, prompt_ids
from labkit.model.reference import logits as slow_logits
from labkit.sampling.orders import ORDERS
from labkit.sequence import SamplingParams
from labkit.widgets.sampling_bench import KNOBS, STAGES
from tests.rules.tree import ROOT
from tests.support.engines import HELLO, tiny_engine
from tests.support.tiny import tiny_model

VECTORS = ROOT / "tests" / "support" / "vectors" / "sampler_vectors.json"
SHORT = {"t": "temperature", "k": "top_k", "p": "top_p", "mp": "min_p"}
CASES = [
    case
    for case in json.loads(VECTORS.read_text())["cases"]
    if set(case["params"]) <= set(SHORT) and not case["prompt_ids"]
]
HOT = {"temperature": 1.7, "top_p": 0.9, "repetition_penalty": 1.2}


def a_bench() -> Bench:
    source = torch.Generator().manual_seed(1)
    return Bench(torch.randn(500, generator=source) * 3, [1, 2, 3], [3, 4])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_each_engine_is_the_recorded_one(case: dict[str, Any]) -> None:
    knobs = {SHORT[short]: value for short, value in case["params"].items()}
    views = Bench(torch.tensor(case["logits"])).compare(knobs)
    for view, column in zip(views, (*COMPARED[:3], "sglang_torch"), strict=True):
        if case[column] is None:
            continue
        wanted = torch.tensor(case[column])
        assert view.kept == int((wanted > 0).sum()), column
        assert dict(view.top)[int(wanted.argmax())] == pytest.approx(
            float(wanted.max()), abs=1e-5
        )


def test_the_same_knobs_and_order_give_the_same_views() -> None:
    bench = a_bench()
    assert bench.run(HOT, STAGES) == bench.run(HOT, STAGES)


def test_views_tell_the_model_the_stages_in_order_and_the_draw() -> None:
    order = STAGES[::-1]
    names = [view.name for view in a_bench().run(HOT, order)]
    assert names == ["model", *order, "draw"]


def test_the_bench_draws_what_the_engine_draws() -> None:
    engine = tiny_engine()
    params = SamplingParams(max_tokens=1, temperature=0.9, top_p=0.8, seed=5)
    drawn = next(engine.stream(HELLO, params)).token_id
    bench = Bench.at(engine, HELLO)
    knobs = {"temperature": 0.9, "top_p": 0.8, "seed": 5}
    assert bench.run(knobs, STAGES)[-1].top[0][0] == drawn


def test_a_top_k_of_0_is_off_and_neutral_knobs_change_nothing() -> None:
    bench = a_bench()
    for order in COMPARED:
        plain = bench.probs(order, **KNOBS)
        assert total_variation(plain, bench.logits.softmax(-1)) < 1e-6, order


def test_a_bench_knows_how_much_is_written() -> None:
    assert a_bench().num_written == 2
    assert Bench(torch.zeros(4)).num_written == 0


def test_distances_are_symmetric_and_0_to_itself() -> None:
    views = a_bench().compare({"temperature": 2.0, "top_p": 0.8, "min_p": 0.1})
    for i, view in enumerate(views):
        assert view.distances[i] == 0.0
        for j, other in enumerate(views):
            assert view.distances[j] == other.distances[i]
        assert view.stages == tuple(stage.name for stage in ORDERS[view.name])


def test_preset_orders_have_every_stage_once() -> None:
    for name, order in preset_orders(STAGES).items():
        assert sorted(order) == sorted(STAGES), name
    llama = preset_orders(STAGES)["llama.cpp"]
    assert llama.index("temperature") > llama.index("top_p")


def test_stages_and_knobs_that_are_not_there_are_refused() -> None:
    with pytest.raises(ConfigError, match="no setting 'dry'"):
        a_bench().run({}, ["dry"])
    with pytest.raises(ConfigError, match=r"did you mean top_p\?"):
        a_bench().probs("vllm", topp=0.5)


def test_logits_are_those_of_the_slow_truth_and_leave_the_pool_alone() -> None:
    model, ids = tiny_model(), [*HELLO, 7, 8]
    found = next_logits(model, ids, last=3)
    torch.testing.assert_close(found, slow_logits(model.decoder, ids)[-3:])


def test_a_bench_asked_for_other_messages_is_another_and_this_one_stays() -> None:
    engine = tiny_engine()
    bench = Bench.at(engine, HELLO)
    before = bench.logits.clone()
    messages = [{"role": "user", "content": "hello"}]
    other = bench.asked(messages)
    want = Bench.at(engine, prompt_ids(engine, messages))
    assert torch.equal(other.logits, want.logits)
    assert not torch.equal(other.logits, before)
    assert torch.equal(bench.logits, before)


def test_a_bench_without_an_engine_says_how_to_get_one() -> None:
    with pytest.raises(ConfigError, match=r"Bench\.at"):
        Bench(torch.zeros(4)).asked([{"role": "user", "content": "hello"}])


def test_benches_along_a_text_stand_where_each_of_its_tokens_was_chosen() -> None:
    engine = tiny_engine()
    benches = Bench.along(engine, HELLO[:3], HELLO[3:])
    assert [bench.num_written for bench in benches] == [*range(len(HELLO) - 3)]
    for place, bench in enumerate(benches):
        want = Bench.at(engine, HELLO[: 3 + place]).logits
        torch.testing.assert_close(bench.logits, want)


def test_a_constant_changes_all_logits_and_no_probability() -> None:
    bench = Bench(torch.tensor([2.0, 1.0, -1.0]), prompt_ids=[0])
    moved = bench.shifted(10)
    assert moved.logits.tolist() == [12.0, 11.0, 9.0]
    torch.testing.assert_close(moved.probs("vllm"), bench.probs("vllm"))
    penalised = moved.probs("vllm", repetition_penalty=1.3)
    assert not torch.allclose(penalised, bench.probs("vllm", repetition_penalty=1.3))
