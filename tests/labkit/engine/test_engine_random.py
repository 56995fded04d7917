"""Random arrivals, steps and aborts: the books balance after every single one."""

from __future__ import annotations

from hypothesis import given, seed, settings
from hypothesis import strategies as st

from labkit.engine.engine import Engine
from labkit.errors import NeverFits, QueueFull
from tests.support.engines import drain, events_of, knobs, tiny_engine

ADD = st.tuples(st.just("add"), st.integers(1, 60), st.integers(1, 40))
STEP = st.tuples(st.just("step"), st.just(0), st.just(0))
ABORT = st.tuples(st.just("abort"), st.integers(0, 40), st.just(0))
OPERATIONS = st.lists(st.one_of(ADD, STEP, STEP, ABORT), min_size=100, max_size=100)


def play(engine: Engine, verb: str, first: int, second: int) -> list[str]:
    """Do one operation; the id of a request that was let in."""
    if verb == "abort":
        engine.abort(f"req-{first}")
    elif verb == "add":
        try:
            prompt = [3 + i % 200 for i in range(first)]
            return [engine.add(prompt, knobs(max_tokens=second, temperature=1.0))]
        except (NeverFits, QueueFull):
            return []
    return []


@seed(3)
@settings(max_examples=5, deadline=None)
@given(OPERATIONS)
def test_500_random_operations_leave_no_block_and_no_request_behind(
    operations: list[tuple[str, int, int]],
) -> None:
    """Five runs of 100 operations on 12 blocks of 4, 3 seats and a queue of 4."""
    engine = tiny_engine(num_blocks=12, max_running=3, max_waiting=4, max_step_tokens=7)
    reports, admitted = [], []
    for verb, first, second in operations:
        admitted += play(engine, verb, first, second)
        if verb == "step":
            reports.append(engine.step())
            computed = sum(part.num_tokens for part in reports[-1].scheduled)
            assert computed <= 7
        engine.check()
    reports += drain(engine)
    assert engine.counts().free_blocks == 12
    events = events_of(reports)
    assert sorted(events) == sorted(admitted)
    for each in events.values():
        assert [event.index for event in each] == list(range(len(each)))
        assert [event.finish is None for event in each].count(False) == 1
        assert each[-1].finish is not None
