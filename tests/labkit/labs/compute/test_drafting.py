"""What drafts are worth, and that rejection keeps the target's distribution."""

from __future__ import annotations

import pytest

from labkit.labs.compute.drafting import (
    chi_square,
    draft_row,
    first_tokens,
    speed_up,
    tokens_a_pass,
)


def test_a_pass_gives_one_token_and_each_draft_that_all_before_it_lead_to() -> None:
    assert tokens_a_pass(0.8, 4) == pytest.approx(3.3616)
    assert tokens_a_pass(0.0, 4) == 1.0
    assert tokens_a_pass(1.0, 4) == 5.0


def test_the_speed_up_is_tokens_over_the_passes_that_they_cost() -> None:
    assert speed_up(0.8, 4, 0.05) == pytest.approx(3.3616 / 1.2)
    assert speed_up(0.5, 8, 0.3) < 1


def test_tokens_have_the_target_s_distribution_whoever_drafts() -> None:
    p, q = (0.6, 0.3, 0.1), (0.1, 0.1, 0.8)
    found = first_tokens(p, q, 3000)
    assert found.total == 3000
    assert found.acceptance == pytest.approx(0.3, abs=0.03)
    assert chi_square(found.counts, p) < 9.21
    assert chi_square(found.counts, q) > 1000


def test_a_recorded_task_becomes_a_row_of_the_table() -> None:
    plain = {"token_ids": [0] * 11, "seconds": 2.0, "num_steps": 10}
    ahead = {**plain, "seconds": 1.0, "num_steps": 4, "num_drafted": 9}
    runs = {"0": plain, "4": {**ahead, "num_accepted": 6}}
    assert draft_row(runs, 4) == ("9", "6", "2.50", "2.00")
