"""Buckets against an exact model: nothing is overspent, and nothing is lost."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.limits import Budget, MemoryStore
from server.limits import budgets as module

MINUTE_NS = 60_000_000_000


class Exact:
    """A bucket in fractions of a token."""

    def __init__(self, budget: Budget) -> None:
        self.budget, self.level = budget, Fraction(budget.burst)
        self.at_ns = 0

    def grow(self, now_ns: int) -> Fraction:
        grown = Fraction((now_ns - self.at_ns) * self.budget.per_minute, MINUTE_NS)
        self.level = min(Fraction(self.budget.burst), self.level + grown)
        self.at_ns = now_ns
        return self.level


STEPS = st.lists(
    st.tuples(st.integers(0, 10**11), st.integers(0, 12), st.integers(0, 900)),
    max_size=40,
)


@given(STEPS, st.integers(1, 300), st.integers(1, 7000))
def test_it_takes_from_all_or_none_as_an_exact_model_does(
    steps: list[tuple[int, int, int]], rpm: int, tpm: int
) -> None:
    budgets = (Budget("requests", rpm, 12), Budget("tokens", tpm, 900))
    store, models, now_ns = MemoryStore(), [Exact(b) for b in budgets], 0
    for pause_ns, requests, tokens in steps:
        now_ns += pause_ns
        costs = {"requests": requests, "tokens": tokens}
        found = store.take("t", budgets, costs, now_ns)
        levels = [model.grow(now_ns) for model in models]
        fits = levels[0] >= requests and levels[1] >= tokens
        assert found.is_granted is fits
        if fits:
            models[0].level -= requests
            models[1].level -= tokens
        assert [r.remaining for r in found.rooms] == [int(m.level) for m in models]


@given(st.integers(1, 300), st.integers(1, 9), st.integers(0, 10**10))
def test_the_wait_is_exact_to_the_nanosecond(
    rpm: int, cost: int, pause_ns: int
) -> None:
    budgets, store = (Budget("requests", rpm, 9),), MemoryStore()
    assert store.take("t", budgets, {"requests": 9}, 0).is_granted
    refused = store.take("t", budgets, {"requests": cost}, pause_ns)
    if refused.is_granted:
        return
    then_ns = pause_ns + refused.wait_ns
    assert not store.take("t", budgets, {"requests": cost}, then_ns - 1).is_granted
    assert store.take("t", budgets, {"requests": cost}, then_ns).is_granted


def test_a_bucket_of_ten_lets_ten_through_and_the_next_a_second_later() -> None:
    budgets, store = (Budget("requests", 60, 10),), MemoryStore()
    found = [store.take("t", budgets, {"requests": 1}, 0) for _ in range(25)]
    assert sum(each.is_granted for each in found) == 10
    assert {each.wait_ns for each in found[10:]} == {1_000_000_000}


def test_the_budget_that_is_waited_for_longest_is_named() -> None:
    budgets = (Budget("requests", 60, 2), Budget("tokens", 60, 100))
    store = MemoryStore()
    store.take("t", budgets, {"requests": 2, "tokens": 100}, 0)
    found = store.take("t", budgets, {"requests": 1, "tokens": 50}, 0)
    assert (found.binding, found.wait_ns) == ("tokens", 50_000_000_000)
    assert store.take("other", budgets, {"requests": 1, "tokens": 50}, 0).is_granted


def test_a_debt_is_worked_off_and_a_refund_never_overfills() -> None:
    budgets, store = (Budget("tokens", 60, 10),), MemoryStore()
    store.correct("t", budgets, {"tokens": 15}, 0)
    found = store.take("t", budgets, {"tokens": 0}, 0)
    assert (found.is_granted, found.wait_ns) == (False, 5_000_000_000)
    store.correct("t", budgets, {"tokens": -99}, 0)
    assert store.take("t", budgets, {"tokens": 10}, 0).is_granted
    assert not store.take("t", budgets, {"tokens": 1}, 0).is_granted


def test_a_store_forgets_what_is_full_again() -> None:
    budgets, store = (Budget("requests", 60, 1),), MemoryStore()
    for number in range(module.PRUNE_ABOVE):
        store.take(f"t{number}", budgets, {"requests": 1}, 0)
    assert len(store) == module.PRUNE_ABOVE
    store.take("last", budgets, {"requests": 1}, MINUTE_NS)
    assert len(store) == 1


@pytest.mark.parametrize("numbers", [(0, 1), (1, 0)])
def test_a_budget_that_refuses_for_ever_is_not_made(numbers: tuple[int, int]) -> None:
    with pytest.raises(AssertionError):
        Budget("requests", *numbers)
