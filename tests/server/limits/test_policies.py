"""The vendors' rules, on the same request: what is taken before, and what after."""

from __future__ import annotations

import pytest

from labkit.records import Usage
from server.limits import POLICIES, Asked
from server.outcomes import Outcome

ASKED = Asked(estimate=100, max_tokens=1000)
USED = Usage(120, 30, 80)  # 80 of the prompt's 120 tokens came from the cache


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        (
            "anthropic",
            {"requests": 1, "input_tokens": 100, "output_tokens": 0},
            {"requests": 1, "input_tokens": 40, "output_tokens": 30},
        ),
        (
            "openai",
            {"requests": 1, "tokens": 1000},
            {"requests": 1, "tokens": 1000},
        ),
        ("bedrock", {"requests": 1, "tokens": 1100}, {"requests": 1, "tokens": 70}),
    ],
)
def test_each_vendor_charges_the_same_request_in_its_own_way(
    name: str, before: dict[str, int], after: dict[str, int]
) -> None:
    policy = POLICIES[name]
    assert policy.reserve(ASKED) == before
    assert policy.settle(ASKED, USED, Outcome.FINISHED) == after


def test_a_forgotten_max_tokens_costs_bedrock_forty_times_the_requests() -> None:
    """Bedrock's own example: two million tokens a minute, 500 tokens of input."""
    reserved = [
        POLICIES["bedrock"].reserve(Asked(500, most))["tokens"]
        for most in (1000, 64_000)
    ]
    assert [2_000_000 // each for each in reserved] == [1333, 31]
