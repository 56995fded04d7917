"""Drafts judged by the target: the law of the output is the target's own.

Chi-square tests use the seeds 0 to 19,999 and the 0.1 % point of the law.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor

from labkit.sampling.pipeline import exponential_noise, sample
from labkit.sampling.verify import hypotheses, num_standing, reject, stream
from tests.support.rows import rows_of, sequence

NUM_DRAWS = 20_000
P = torch.tensor([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6], [0.1, 0.8, 0.1]])
Q = torch.tensor([[0.4, 0.5, 0.1], [0.3, 0.1, 0.6]])
EIGHT = 26.12  # 0.1 % point of chi-square with 8 degrees of freedom
TWO = 13.82  # with 2


def draw(probs: Tensor, seed: int, place: int) -> int:
    return int((probs / exponential_noise(seed, place, len(probs))).argmax())


def chi_square(seen: Counter[Any], expected: dict[Any, float]) -> float:
    assert set(seen) <= set(expected)
    return sum((seen[key] - n) ** 2 / n for key, n in expected.items())


def test_hypotheses_are_the_outputs_before_each_place_that_is_judged() -> None:
    half_way = sequence([1], [2])
    outputs = [each.output_ids for each in hypotheses(half_way, (7, 8))]
    assert outputs == [[2], [2, 7], [2, 7, 8]]
    assert half_way.output_ids == [2]


@pytest.mark.parametrize(
    ("drafts", "chosen", "stand"),
    [([], [5], 0), ([5], [5, 6], 1), ([5], [6, 6], 0), ([5, 6, 7], [5, 9, 7, 8], 1)],
)
def test_drafts_stand_up_to_the_first_that_was_not_chosen(
    drafts: list[int], chosen: list[int], stand: int
) -> None:
    assert num_standing(drafts, chosen) == stand


def decoded(logits: Tensor, num_tokens: int, **knobs: Any) -> list[int]:
    """Plain decoding: the model's logits depend on the newest token alone."""
    grown = sequence([0], **knobs)
    while len(grown.output_ids) < num_tokens:
        newest = grown.ids_between(grown.num_tokens - 1, grown.num_tokens)
        grown.output_ids += sample(logits[newest], rows_of(grown, vocab=9)).token_ids
    return grown.output_ids


def speculated(
    logits: Tensor, num_tokens: int, drafts: list[int], **knobs: Any
) -> list[int]:
    """The same, with the next of `drafts` offered at every pass."""
    grown = sequence([0], **knobs)
    while len(grown.output_ids) < num_tokens:
        offered = drafts[len(grown.output_ids) :][:3]
        newest = grown.ids_between(grown.num_tokens - 1, grown.num_tokens)
        rows = rows_of(*hypotheses(grown, offered), vocab=9)
        chosen = sample(logits[[*newest, *offered]], rows).token_ids
        grown.output_ids += chosen[: num_standing(offered, chosen) + 1]
    return grown.output_ids[:num_tokens]


@pytest.mark.parametrize("temperature", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("penalty", [0.0, 1.5])
def test_point_mass_drafts_leave_every_token_as_it_was(
    temperature: float, penalty: float
) -> None:
    """Good drafts, bad ones and a mixture of both, for fifty seeds."""
    logits = 2 * torch.randn(9, 9, generator=torch.Generator().manual_seed(1))
    knobs = {"temperature": temperature, "frequency_penalty": penalty}
    for seed in range(50):
        plain = decoded(logits, 12, seed=seed, **knobs)
        mixed = [(t + (i % 4 == 3)) % 9 for i, t in enumerate(plain)]
        for drafts in (plain, mixed, [8] * 12):
            assert speculated(logits, 12, drafts, seed=seed, **knobs) == plain


def test_a_draft_stands_as_often_as_it_is_likely_and_else_the_rest_is_drawn() -> None:
    """A point mass on token 0 of p = (0.6, 0.3, 0.1): rejection sampling's law."""
    chosen = [draw(P[0], seed, 0) for seed in range(NUM_DRAWS)]
    seen = Counter((num_standing([0], [x]), x) for x in chosen)
    law = {(1, 0): 0.6, (0, 1): 0.3, (0, 2): 0.1}
    assert chi_square(seen, {k: p * NUM_DRAWS for k, p in law.items()}) < TWO


def rejected(seed: int) -> tuple[int, list[int]]:
    """Two drafts drawn from Q and judged by P: how many stood, and the output."""
    drafts = [draw(Q[i], stream(seed, "draft"), i) for i in range(2)]
    num, token_id = reject(P, Q, drafts, seed, 0)
    return num, [*drafts[:num], token_id]


@pytest.fixture(scope="module")
def endings() -> list[tuple[int, list[int]]]:
    return [rejected(seed) for seed in range(NUM_DRAWS)]


def test_drafts_drawn_from_another_law_leave_the_law_of_the_output_unchanged(
    endings: list[tuple[int, list[int]]],
) -> None:
    """Two tokens: places that were not reached are drawn plainly afterwards."""
    seen: Counter[tuple[int, int]] = Counter()
    for seed, (num, output) in enumerate(endings):
        second = output[1] if num else draw(P[1], stream(seed, "later"), 1)
        seen[output[0], second] += 1
    law = {(a, b): float(P[0, a] * P[1, b]) for a in range(3) for b in range(3)}
    assert chi_square(seen, {k: p * NUM_DRAWS for k, p in law.items()}) < EIGHT


def test_share_of_drafts_that_stand_is_the_overlap_of_the_two_laws(
    endings: list[tuple[int, list[int]]],
) -> None:
    """sum min(p, q) is 0.8 here, and whatever falls is replaced by token 0."""
    fallen = [output for num, output in endings if num == 0]
    assert 1 - len(fallen) / NUM_DRAWS == pytest.approx(0.8, abs=0.01)
    assert {output[0] for output in fallen} == {0}


def test_drafts_of_the_same_law_all_stand() -> None:
    for seed in range(200):
        drafts = [draw(P[i], stream(seed, "draft"), i) for i in range(2)]
        assert reject(P, P[:2], drafts, seed, 0)[0] == 2


def test_streams_of_a_seed_are_independent_of_it_and_of_each_other() -> None:
    assert len({5, stream(5, "draft"), stream(5, "stand"), stream(6, "draft")}) == 4
