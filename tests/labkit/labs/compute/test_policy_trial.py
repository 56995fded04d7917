"""One rush under several policies, always with the same end."""

from __future__ import annotations

import pytest

from labkit.engine.policy import DecodeFirst, PrefillFirst, Turn
from labkit.labs.compute.policy_trial import policy_trial, turns_of


def test_a_trial_ends_alike_and_decode_first_is_what_it_is_compared_with() -> None:
    assert policy_trial() == policy_trial(DecodeFirst())
    assert policy_trial().num_tokens == {
        **dict.fromkeys(("ann", "ben", "cho", "dov"), 60),
        "book": 8,
        "zoe": 20,
    }


def test_prefill_first_stalls_the_streams() -> None:
    found, usual = policy_trial(PrefillFirst()), policy_trial()
    assert found.worst_gap_ms > 5 * usual.worst_gap_ms


class Named:
    def __init__(self, turns: object) -> None:
        self.turns = turns


@pytest.mark.parametrize(
    ("turns", "told"),
    [
        (None, "has no `turns`"),
        ("abc", "use Turn.DECODES"),
        (7, "use Turn.DECODES"),
        ((Turn.DECODES, Turn.PROMPTS), "Turn.ARRIVALS is missing"),
        ((*Turn, Turn.DECODES), "name each turn once"),
    ],
)
def test_turns_that_are_no_order_of_the_three_are_refused(turns, told) -> None:
    with pytest.raises(AssertionError, match=told):
        turns_of(Named(turns))
