"""Stages against transformers' processors on random logits, and the worst of inputs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import generation as oracle

from labkit.sampling.orders import ORDERS
from labkit.sampling.pipeline import sample
from labkit.sampling.rows import BiasTensors, SamplingRows
from labkit.sampling.stages import (
    FREQUENCY_PENALTY,
    LOGIT_BIAS,
    NUM_BEST,
    PRESENCE_PENALTY,
    TOP_P,
    TYPICAL,
    _top_p_by_sort,
    add_bias,
)
from labkit.sequence import SamplingParams
from tests.support.rows import rows_of, sequence

VOCAB = 500
PROCESSORS = {
    "repetition_penalty": oracle.RepetitionPenaltyLogitsProcessor,
    "temperature": oracle.TemperatureLogitsWarper,
    "top_k": oracle.TopKLogitsWarper,
    "top_p": oracle.TopPLogitsWarper,
    "min_p": oracle.MinPLogitsWarper,
    "typical_p": oracle.TypicalLogitsWarper,
}


def random_logits(number: int) -> Tensor:
    source = torch.Generator().manual_seed(number)
    return torch.randn(1, VOCAB, generator=source) * 4


@seed(9)
@settings(max_examples=150, deadline=None)
@given(
    number=st.integers(0, 10_000),
    repetition_penalty=st.sampled_from([1.0, 0.7, 1.3]),
    temperature=st.sampled_from([1.0, 0.3, 1.7]),
    top_k=st.sampled_from([None, 1, 7, 200, 10_000]),
    top_p=st.sampled_from([1.0, 0.05, 0.5, 0.93]),
    min_p=st.sampled_from([0.0, 0.01, 0.3, 1.0]),
    typical_p=st.sampled_from([1.0, 0.2, 0.9]),
)
def test_every_mix_of_knobs_equals_transformers(number: int, **knobs: Any) -> None:
    chosen = sequence(range(40), range(30, 60), **knobs)
    logits, rows = random_logits(number), rows_of(chosen, vocab=VOCAB)
    wanted, history = logits, torch.tensor([chosen.ids_between(0, 70)])
    for knob, processor in PROCESSORS.items():
        if knobs[knob] != getattr(SamplingParams(), knob):
            wanted = processor(knobs[knob])(history, wanted)
    for stage in ORDERS["transformers"]:
        logits = stage.run(logits, rows)
    torch.testing.assert_close(logits.softmax(-1), wanted.softmax(-1))
    assert torch.equal(logits > -torch.inf, wanted > -torch.inf)


HUGE = st.sampled_from([-1e300, -1e30, -1.0, 0.0, 1.0, 1e30, 1e300])
SHARE = st.sampled_from([0.0, 1e-300, 1e-9, 0.5, 1 - 1e-9, 1.0])
POSITIVE = st.sampled_from([1e-300, 1e-9, 1e-5, 1.0, 1e9, 1e300])
LOGITS = st.sampled_from([-1e30, -1e4, -10.0, 0.0, 0.1, 10.0, 1e4, 1e30])


@seed(10)
@settings(max_examples=300, deadline=None)
@given(
    values=st.lists(LOGITS, min_size=8, max_size=8),
    temperature=st.one_of(st.just(0.0), POSITIVE),
    top_k=st.sampled_from([None, 1, 3, 10**9]),
    top_p=SHARE,
    min_p=SHARE,
    typical_p=SHARE,
    repetition_penalty=POSITIVE,
    frequency_penalty=HUGE,
    presence_penalty=HUGE,
    logit_bias=st.lists(st.tuples(st.integers(0, 7), HUGE), max_size=4).map(tuple),
)
@pytest.mark.parametrize("order", ORDERS)
def test_no_input_gives_nan_or_drops_every_token(
    order: str, values: list[float], **knobs: Any
) -> None:
    rows = rows_of(sequence([0, 1], [1, 2, 2], **knobs), vocab=8)
    logits = torch.tensor([values])
    for stage in ORDERS[order]:
        logits = stage.run(logits, rows)
        assert not logits.isnan().any(), stage.name
        assert (logits < torch.inf).all(), stage.name
        assert (logits > -torch.inf).any(), stage.name
    chosen = sample(torch.tensor([values]), rows, stages=ORDERS[order]).token_ids[0]
    assert logits[0, chosen] > -torch.inf


def test_neutral_knobs_leave_the_very_same_tensor() -> None:
    logits, rows = random_logits(1), rows_of(sequence(), vocab=VOCAB)
    assert all(stage.run(logits, rows) is logits for stage in ORDERS["labkit"])


def test_frequency_and_presence_look_at_the_output_only() -> None:
    history = sequence([0, 0], [1, 1, 2], frequency_penalty=0.5, presence_penalty=0.25)
    rows = rows_of(history, vocab=4)
    by_count = FREQUENCY_PENALTY.run(torch.zeros(1, 4), rows)
    assert by_count.tolist() == [[0.0, -1.0, -0.5, 0.0]]
    once = PRESENCE_PENALTY.run(torch.zeros(1, 4), rows)
    assert once.tolist() == [[0.0, -0.25, -0.25, 0.0]]


def test_biases_of_one_token_add_up_and_minus_100_bans_it() -> None:
    rows = rows_of(sequence(logit_bias=((1, 2.0), (1, 3.0), (2, -100.0))), vocab=3)
    biased = LOGIT_BIAS.run(torch.zeros(1, 3), rows)
    assert biased.tolist() == [[0.0, 5.0, -100.0]]


def test_biases_become_tensors_once_a_request() -> None:
    kept: dict[str, BiasTensors] = {}
    biased = sequence(logit_bias=((1, 2.0),), name="r")
    made = [
        SamplingRows.build([biased], 3, torch.device("cpu"), (), kept).bias(0)
        for _ in range(2)
    ]
    assert made[0][0] is made[1][0] is kept["r"][0]


def test_row_without_biases_is_not_looked_at_beside_one_that_has_some() -> None:
    rows = rows_of(sequence(logit_bias=((1, 2.0),), name="a"), sequence(), vocab=3)
    seen: list[tuple[int, ...]] = []

    def watch(logits: Tensor, users: SamplingRows) -> Tensor:
        seen.append(tuple(logits.shape))
        return add_bias(logits, users)

    shaped = replace(LOGIT_BIAS, apply=watch).run(torch.zeros(2, 3), rows)
    assert seen == [(1, 3)]
    assert shaped.tolist() == [[0, 2, 0], [0, 0, 0]]


def test_stage_does_not_change_the_logits_it_was_given() -> None:
    logits = random_logits(2)
    before = logits.clone()
    knobs = {"temperature": 0.5, "top_k": 5, "top_p": 0.5, "typical_p": 0.5}
    rows = rows_of(
        sequence(range(9), range(9), logit_bias=((1, 1.0),), **knobs), vocab=VOCAB
    )
    for stage in ORDERS["labkit"]:
        stage.run(logits, rows)
    assert torch.equal(logits, before)


@pytest.mark.parametrize("top_p", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("heat", [0.5, 2.0, 8.0])
def test_the_few_best_give_the_nucleus_that_sorting_everything_gives(
    heat: float, top_p: float
) -> None:
    source = torch.Generator().manual_seed(3)
    logits = torch.randn(4, 4 * NUM_BEST, generator=source) * heat
    logits[3] = logits[3].round()  # ties
    rows = rows_of(*[sequence(top_p=top_p)] * 4, vocab=4 * NUM_BEST)
    wanted = _top_p_by_sort(logits, rows)
    assert torch.equal(TOP_P.run(logits, rows), wanted)


@pytest.mark.parametrize("typical_p", [0.2, 0.9, 0.99])
@pytest.mark.parametrize("heat", [0.1, 1.0, 4.0])
def test_the_nearest_few_give_the_typical_set_of_a_large_vocabulary(
    heat: float, typical_p: float
) -> None:
    source = torch.Generator().manual_seed(4)
    logits = torch.randn(1, 4 * NUM_BEST, generator=source) * heat
    rows = rows_of(sequence(typical_p=typical_p), vocab=4 * NUM_BEST)
    wanted = PROCESSORS["typical_p"](typical_p)(torch.zeros(1, 1).long(), logits)
    assert torch.equal(TYPICAL.run(logits, rows) > -torch.inf, wanted > -torch.inf)
