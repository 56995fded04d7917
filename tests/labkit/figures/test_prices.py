"""Money is exact."""

from __future__ import annotations

from decimal import Decimal

from tests.support.pools import CARD


def test_cost_adds_each_kind_at_its_price() -> None:
    found = CARD.cost(plain=1_000_000, write=1_000_000, read=1_000_000, output=500_000)
    assert found == Decimal("2") + Decimal("2.50") + Decimal("0.20") + Decimal("5")


def test_lost_is_written_instead_of_read() -> None:
    assert CARD.lost(1000) == Decimal("0.0023")


def test_nothing_costs_nothing() -> None:
    assert CARD.cost() == 0
