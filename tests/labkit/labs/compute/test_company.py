"""The same request alone and in company, on a tiny model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labkit.clock import FakeClock
from labkit.labs.compute.company import (
    Company,
    closest_call,
    has_same_bits,
    largest_change,
    token_ids,
)
from tests.support.tiny import tiny_model

MESSAGES = [{"role": "user", "content": "how many?"}]


def test_every_number_of_others_has_an_answer_and_a_tie_gives_one_token() -> None:
    asks = Company(tiny_model(), MESSAGES, FakeClock())
    found = asks.answers((0, 2))
    assert list(found) == [0, 2]
    assert len(found[0]) == len(found[2]) > 0
    assert largest_change(found[0], found[2]) < 1e-3
    (best, _), (second, _) = found[0][0].top
    assert asks.first_token_at_a_tie(found[0], 2) in (best, second)


def test_changes_and_close_calls_are_read_from_the_log_probabilities() -> None:
    first, *_ = Company(tiny_model(), MESSAGES, FakeClock()).answer(0, max_tokens=1)
    alone = (replace(first, token_id=3, logprob=-1.0, top=((3, -1.0), (5, -1.25))),)
    other = (replace(first, token_id=3, logprob=-1.5),)
    assert largest_change(alone, other) == 0.5
    assert closest_call(alone) == pytest.approx(0.25)
    assert token_ids(alone) == [3]
    assert has_same_bits(alone, alone)
    assert not has_same_bits(alone, other)
