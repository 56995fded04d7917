"""The cost table of a running engine."""

from __future__ import annotations

import pytest

from labkit.clock import FakeClock
from labkit.errors import InputError
from labkit.replay.costs import measure_costs
from tests.support.engines import HELLO, knobs, tiny_engine


class TickingClock(FakeClock):
    """Each look at it takes a millisecond."""

    def now(self) -> float:
        self.advance(0.001)
        return super().now()


def test_table_holds_decode_batches_and_chunks_that_fit_the_set_up() -> None:
    engine = tiny_engine(TickingClock(), max_running=4, num_blocks=200)
    costs = measure_costs(engine, repeats=2, clock=FakeClock())
    assert [(p.num_tokens, p.context) for p in costs.points] == [
        (1, 33.5),
        (1, 481.5),
        (2, 35.0),
        (4, 36.75),
        (16, 8.5),
        (16, 24.5),
    ]
    assert all(p.seconds == pytest.approx(0.003) for p in costs.points)
    assert (costs.model, costs.date) == ("tiny", "2026-01-01")


def test_engine_is_left_idle_and_empty() -> None:
    engine = tiny_engine(max_running=2)
    measure_costs(engine, repeats=1)
    assert not engine.has_work
    engine.check()


def test_busy_engine_is_refused() -> None:
    engine = tiny_engine()
    engine.add(HELLO, knobs())
    with pytest.raises(InputError, match="idle engine"):
        measure_costs(engine)
