"""Random arrivals, forks, steps, aborts, resets: the books balance after each one.

The pool is far too small for what is asked of it, so requests are thrown out all the
time; every answer must still be the one that a roomy engine gives.
"""

from __future__ import annotations

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from labkit.engine.engine import Engine
from labkit.errors import InputError, NeverFits, QueueFull
from labkit.records import TokenEvent
from labkit.sequence import FinishReason
from tests.support.engines import drain, events_of, knobs, tiny_engine

Operation = tuple[str, int, int]
ADD = st.tuples(st.just("add"), st.integers(1, 60), st.integers(1, 40))
STEP = st.tuples(st.just("step"), st.just(0), st.just(0))
ABORT = st.tuples(st.just("abort"), st.integers(0, 40), st.just(0))
FORK = st.tuples(st.just("fork"), st.integers(0, 40), st.integers(0, 9))
CHOICES = st.tuples(st.just("choices"), st.integers(1, 20), st.integers(1, 4))
RESET = st.tuples(st.just("reset"), st.just(0), st.just(0))
ANY = st.one_of(ADD, STEP, STEP, STEP, ABORT, FORK, CHOICES, RESET)
OPERATIONS = st.lists(ANY, min_size=100, max_size=100)
HEAT = knobs(max_tokens=12, temperature=1.0, seed=3)


def play(engine: Engine, verb: str, first: int, second: int) -> list[str]:
    """Do one operation; the ids of requests that were let in."""
    prompt = [3 + i % 200 for i in range(first)]
    try:
        if verb == "add":
            return [engine.add(prompt, knobs(max_tokens=second, temperature=1.0))]
        if verb == "choices":
            return engine.add_choices(prompt, HEAT, second)
        if verb == "fork":
            return [engine.fork(f"req-{first}", at=second, token_id=50 + second)]
    except (InputError, NeverFits, QueueFull):
        return []
    if verb == "abort":
        engine.abort(f"req-{first}")
    elif verb == "reset":
        assert engine.reset_cache() == (engine.counts().num_running == 0)
    return []


@pytest.mark.parametrize("policy", ["decode-first", "prefill-first"])
@seed(3)
@settings(max_examples=4, deadline=None)
@given(operations=OPERATIONS)
def test_random_operations_leave_no_block_and_no_request_behind(
    policy: str, operations: list[Operation]
) -> None:
    """Runs of 100 operations on 12 blocks of 4, 3 seats and a queue of 4."""
    small = {"num_blocks": 12, "max_running": 3, "max_waiting": 4, "max_step_tokens": 7}
    engine = tiny_engine(policy=policy, **small)
    reports, admitted = [], []
    for verb, first, second in operations:
        admitted += play(engine, verb, first, second)
        if verb == "step":
            reports.append(engine.step())
            assert sum(part.num_tokens for part in reports[-1].scheduled) <= 7
        engine.check()
    reports += drain(engine)
    assert engine.counts().free_blocks == 12
    assert not any(report.error for report in reports)
    check_events(events_of(reports), admitted)


def check_events(events: dict[str, list[TokenEvent]], admitted: list[str]) -> None:
    """Each request's events count up without a gap and end exactly once."""
    assert sorted(events) == sorted(set(admitted))
    for each in events.values():
        first = each[0].index
        assert [event.index for event in each] == [*range(first, first + len(each))]
        assert [event.finish is None for event in each].count(False) == 1
        assert each[-1].finish is not None


@seed(5)
@settings(max_examples=6, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(1, 16)), max_size=8),
    st.booleans(),
)
def test_thrown_out_or_found_in_the_cache_every_answer_is_the_same(
    requests: list[tuple[int, int]], prefix_caching: bool
) -> None:
    answers = []
    for num_blocks in (13, 300):
        engine = tiny_engine(num_blocks=num_blocks, prefix_caching=prefix_caching)
        for number, (num_prompt, max_tokens) in enumerate(requests):
            params = knobs(max_tokens=max_tokens, temperature=0.8, seed=number)
            engine.add(range(20, 20 + num_prompt), params, request=str(number))
        answers.append(events_of(drain(engine)))
    small, roomy = answers
    for name, events in small.items():
        assert events[-1].finish is FinishReason.LENGTH
        both = zip(events, roomy[name], strict=True)
        assert all(a.token_id == b.token_id for a, b in both)
