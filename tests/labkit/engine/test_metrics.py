"""When a refused request is told to come back."""

from __future__ import annotations

import pytest

from labkit.config import EngineConfig
from labkit.engine.metrics import Pace
from labkit.engine.scheduler import Scheduler
from tests.support.rows import sequence

CONFIG = EngineConfig(max_context=1000)


def test_mean_follows_the_steps_slowly() -> None:
    pace = Pace()
    pace.add(1.0)
    pace.add(2.0)
    assert pace.mean_step_s == pytest.approx(1.1)


@pytest.mark.parametrize(
    ("step_s", "wait_s"), [(None, 1.0), (0.001, 1.0), (0.5, 5.0), (30.0, 60.0)]
)
def test_wait_is_the_first_end_within_bounds(
    step_s: float | None, wait_s: float
) -> None:
    """Two run, with 10 and 200 tokens to go."""
    pace, scheduler = Pace(), Scheduler(CONFIG)
    scheduler.add(sequence([1], name="a", max_tokens=200))
    scheduler.add(sequence([1], name="b", max_tokens=10))
    scheduler.plan()
    if step_s is not None:
        pace.add(step_s)
    assert pace.refusal(scheduler).retry_after_s == wait_s


def test_refusal_gives_the_numbers() -> None:
    scheduler = Scheduler(CONFIG)
    scheduler.add(sequence([1]))
    words = "1 requests wait already, 0 run: try again in 1 s"
    assert str(Pace().refusal(scheduler)) == words
