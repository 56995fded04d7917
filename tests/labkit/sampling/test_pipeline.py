"""The draw, its noise, the observer and the log-probabilities."""

from __future__ import annotations

import math

import pytest
import torch

from labkit.records import StageView
from labkit.sampling.pipeline import (
    STAGES,
    LogitsNotFinite,
    SamplingRows,
    exponential_noise,
    sample,
)
from tests.support.rows import rows_of, sequence

LOGITS = torch.tensor([[0.4, 0.3, 0.2, 0.1]]).log()


def test_draws_follow_the_distribution() -> None:
    """Chi-square over 20,000 places of a seed; 3 degrees of freedom, 0.1 %: 16.27."""
    noise = torch.stack([exponential_noise(7, place, 4) for place in range(20_000)])
    drawn = (LOGITS.softmax(-1) / noise).argmax(dim=-1)
    seen = torch.bincount(drawn, minlength=4)
    expected = LOGITS.softmax(-1)[0] * 20_000
    assert float(((seen - expected) ** 2 / expected).sum()) < 16.27


def test_draws_of_different_seeds_follow_the_distribution_too() -> None:
    noise = torch.stack([exponential_noise(seed, 0, 4) for seed in range(20_000)])
    seen = torch.bincount((LOGITS.softmax(-1) / noise).argmax(dim=-1), minlength=4)
    expected = LOGITS.softmax(-1)[0] * 20_000
    assert float(((seen - expected) ** 2 / expected).sum()) < 16.27


@pytest.mark.parametrize("seed", [0, -1, 2**80])
def test_noise_is_fixed_by_seed_and_place(seed: int) -> None:
    noise = exponential_noise(seed, 3, 50)
    assert torch.equal(noise, exponential_noise(seed, 3, 50))
    assert not torch.equal(noise, exponential_noise(seed, 4, 50))
    assert not torch.equal(noise, exponential_noise(seed + 1, 3, 50))
    assert noise.isfinite().all()
    assert (noise > 0).all()


def test_token_of_a_row_does_not_depend_on_the_batch() -> None:
    logits = torch.randn(8, 300, generator=torch.Generator().manual_seed(1))
    knobs = [{"temperature": t, "top_p": p} for t in (0, 0.7, 1, 2) for p in (0.5, 1)]
    group = [sequence((), [5] * i, seed=i, **k) for i, k in enumerate(knobs)]
    together = sample(logits, rows_of(*group, vocab=300)).token_ids
    for row, member in enumerate(group):
        alone = sample(logits[row : row + 1], rows_of(member, vocab=300)).token_ids
        assert alone == [together[row]]


def test_temperature_zero_takes_the_best_after_penalties_and_ignores_filters() -> None:
    knobs = {"temperature": 0.0, "repetition_penalty": 5.0, "typical_p": 0.1}
    greedy = sequence((), [0], seed=None, **knobs)
    logits = torch.tensor([[3.0, 2.0, 1.0]])
    assert sample(logits, rows_of(greedy, vocab=3)).token_ids == [1]


def test_drawing_without_a_seed_is_a_sentence() -> None:
    with pytest.raises(AssertionError, match=r"a has no seed: Engine\.add gives one"):
        sample(LOGITS, rows_of(sequence(seed=None), vocab=4))


def test_logits_that_are_not_finite_are_refused() -> None:
    with pytest.raises(LogitsNotFinite, match="not finite"):
        sample(torch.tensor([[0.0, math.nan]]), rows_of(sequence(), vocab=2))


def test_observer_sees_each_stage_in_order_from_model_to_draw() -> None:
    views: list[tuple[str, StageView]] = []
    rows = rows_of(sequence(top_k=2, name="r1"), vocab=4)
    chosen = sample(LOGITS, rows, lambda *seen: views.append(seen)).token_ids[0]
    names = [view.name for _, view in views]
    assert names == ["model", *(stage.name for stage in STAGES), "draw"]
    assert {request for request, _ in views} == {"r1"}
    last = views[-1][1]
    assert (last.kept, last.top, last.entropy) == (1, ((chosen, 1.0),), 0.0)


def test_view_of_a_stage_has_its_numbers() -> None:
    views: dict[str, StageView] = {}
    rows = rows_of(sequence(top_k=2), vocab=4)
    sample(LOGITS, rows, lambda _, view: views.setdefault(view.name, view))
    model, top_k = views["model"], views["top_k"]
    assert (model.kept, model.moved, top_k.kept) == (4, 0.0, 2)
    assert [token for token, _ in top_k.top] == [0, 1]
    assert top_k.top[0][1] == pytest.approx(4 / 7)
    assert top_k.moved == pytest.approx(0.3)  # mass of the two that were dropped
    assert model.entropy == pytest.approx(1.2798542)
    assert views["temperature"].moved == 0.0


def test_only_watched_requests_are_shown_and_watching_changes_no_token() -> None:
    seen: set[str] = set()
    group = [sequence(name=name, seed=n, top_p=0.8) for n, name in enumerate("abc")]
    rows = SamplingRows.build(group, 4, torch.device("cpu"), watched={"b"})
    logits = LOGITS.repeat(3, 1)
    watched = sample(logits, rows, lambda request, _: seen.add(request))
    assert seen == {"b"}
    assert watched.token_ids == sample(logits, rows).token_ids


def test_logprobs_are_the_models_own_before_any_stage() -> None:
    knobs = {"temperature": 0.2, "top_k": 1, "logit_bias": ((3, 50.0),)}
    asked = sequence(top_logprobs=3, **knobs)
    sampled = sample(LOGITS, rows_of(asked, sequence(), vocab=4).take([0]))
    assert sampled.token_ids == [3]
    assert sampled.logprobs == [pytest.approx(math.log(0.1))]
    assert [token for token, _ in sampled.tops[0]] == [0, 1, 2]
    assert sampled.tops[0][0][1] == pytest.approx(math.log(0.4))


def test_logprobs_are_given_only_where_asked_for() -> None:
    group = [sequence(), sequence(top_logprobs=0)]
    sampled = sample(LOGITS.repeat(2, 1), rows_of(*group, vocab=4))
    assert sampled.logprobs[0] is None
    assert sampled.logprobs[1] is not None
    assert sampled.tops == [(), ()]


def test_greedy_and_drawn_rows_of_one_batch_are_as_alone() -> None:
    group = [sequence(temperature=0.0), sequence(seed=5), sequence(temperature=0.0)]
    together = sample(LOGITS.repeat(3, 1), rows_of(*group, vocab=4)).token_ids
    alone = [sample(LOGITS, rows_of(one, vocab=4)).token_ids[0] for one in group]
    assert together == alone


def test_a_stage_that_nobody_uses_is_shown_as_one_that_moves_nothing() -> None:
    views: dict[str, StageView] = {}
    rows = rows_of(sequence(top_k=2, temperature=0.5), vocab=4)
    sample(LOGITS, rows, lambda _, view: views.update({view.name: view}))
    assert views["temperature"].moved > 0
    assert (views["min_p"].moved, views["min_p"].kept) == (0.0, 2)
    assert views["min_p"].top == views["top_k"].top
