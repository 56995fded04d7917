"""The records of a replay: what may be an arrival, and how the cost table is read."""

from __future__ import annotations

import pytest

from labkit.errors import ConfigError
from labkit.records import ScheduledSlice
from labkit.workload import Arrival, CostPoint, StepCosts, mean_context


def costs(*points: tuple[int, float, float]) -> StepCosts:
    return StepCosts(tuple(CostPoint(*p) for p in points), "m", "d", "2026-01-01")


TABLE = costs((1, 100, 1.0), (1, 300, 2.0), (9, 100, 5.0), (9, 300, 10.0))


@pytest.mark.parametrize(
    ("num_tokens", "context", "seconds"),
    [(1, 100, 1.0), (1, 200, 1.5), (5, 100, 3.0), (5, 200, 4.5), (17, 300, 18.0)],
)
def test_cost_between_points_lies_on_straight_lines_that_go_on_outside(
    num_tokens: int, context: float, seconds: float
) -> None:
    assert TABLE.seconds(num_tokens, context) == pytest.approx(seconds)


def test_no_step_costs_less_than_the_cheapest_that_was_measured() -> None:
    assert costs((4, 10, 0.2), (8, 10, 0.9)).seconds(1, 10) == 0.2


def test_one_point_stands_for_every_step() -> None:
    assert costs((4, 10, 0.2)).seconds(400, 9) == 0.2


def test_context_of_a_step_is_the_mean_over_its_tokens() -> None:
    chunk = ScheduledSlice("a", 10, 3, is_prefill=True)  # sees 11, 12, 13
    decode = ScheduledSlice("b", 19, 1, is_prefill=False)  # sees 20
    assert mean_context([chunk, decode]) == (11 + 12 + 13 + 20) / 4
    assert TABLE.of([chunk, decode]) == TABLE.seconds(4, 14.0)


def test_costs_without_points_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"measure_costs\(engine\)"):
        costs()


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ((0, 1, None, 0), "at least one token each way"),
        ((1, 0, None, 0), "at least one token each way"),
        ((5, 1, "system", 6), "use 0 to 5"),
        ((5, 1, "system", 0), "prefix and prefix_tokens, or none"),
        ((5, 1, None, 2), "prefix and prefix_tokens, or none"),
    ],
)
def test_arrival_that_cannot_be_is_refused(
    numbers: tuple[int, int, str | None, int], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        Arrival("a", 0.0, *numbers)
