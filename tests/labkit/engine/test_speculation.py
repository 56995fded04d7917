"""The engine with drafts: the same tokens, in fewer steps, and books that balance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from labkit.engine.engine import Engine
from labkit.engine.runner import Runner
from labkit.engine.speculative import Drafter, DraftStats, NgramDrafter
from labkit.records import StageView, StepReport, TokenEvent
from labkit.sequence import FinishReason, SamplingParams
from tests.support.drafters import Babbler, CheapExit, Oracle
from tests.support.engines import drain, events_of, knobs, tiny_engine, tokens_of

PROMPTS = tuple(tuple(range(100 + i, 107 + 3 * i)) for i in range(4))
Make = Callable[[Runner], Drafter]


def early(num_layers: int) -> Make:
    return lambda runner: CheapExit(runner, num_layers)


def run(
    params: SamplingParams, make: Make | None, num: int = 4, **config: Any
) -> tuple[Engine, list[StepReport]]:
    """The first `num` prompts together; drafts where there is a drafter."""
    engine = tiny_engine(max_drafts=5 if make else 0, drafter=make, **config)
    for number, prompt in enumerate(PROMPTS[:num]):
        engine.add(prompt, replace(params, seed=number))
    return engine, drain(engine)


def oracle(params: SamplingParams, wrong: int | None = None) -> Make:
    """One that knows what the first prompts are answered without stops."""
    endless = replace(params, stop=(), ignore_eos=True, max_tokens=60)
    answers = tokens_of(run(endless, None)[1])
    known = zip(PROMPTS, answers.values(), strict=True)
    return lambda runner: Oracle({p: [t or 0 for t in a] for p, a in known}, wrong)


@pytest.mark.parametrize("heat", [0.0, 0.8])
@pytest.mark.parametrize("make", [lambda runner: NgramDrafter(), early(1), early(2)])
def test_tokens_are_those_of_plain_decoding_alone_and_in_a_batch(
    make: Make, heat: float
) -> None:
    params = knobs(24, temperature=heat, top_p=0.9, frequency_penalty=0.3)
    wanted = tokens_of(run(params, None)[1])
    for num in (4, 1):
        found = tokens_of(run(params, make, num)[1])
        assert found == {name: wanted[name] for name in list(wanted)[:num]}


@pytest.mark.parametrize("wrong", [None, 3])
def test_right_drafts_make_fewer_steps_and_wrong_ones_change_nothing(
    wrong: int | None,
) -> None:
    params = knobs(40, temperature=0.9)
    wanted = run(params, None, 1)[1]
    engine, reports = run(params, oracle(params, wrong), 1)
    assert tokens_of(reports) == tokens_of(wanted)
    assert len(reports) < len(wanted) * (0.3 if wrong is None else 0.6)
    stats = engine.draft_stats()
    assert (stats.acceptance == 1) == (wrong is None)


def plain_events(reports: list[StepReport]) -> dict[str, list[TokenEvent]]:
    """Events without what tells steps apart."""
    return {
        name: [replace(e, step=0, time_s=0.0, logprob=None, top=()) for e in events]
        for name, events in events_of(reports).items()
    }


def test_answer_ends_inside_an_accepted_run_where_plain_decoding_ends_it() -> None:
    """By max_tokens, by a stop string and by the end-of-text token."""
    long = knobs(60, temperature=0.0)
    texts = [e.text for e in events_of(run(long, None, 1)[1])["req-0"]]
    middle = next(t for t in texts[10:] if t.isascii() and t)
    for params in (
        knobs(23, temperature=0.0),
        knobs(60, temperature=0.0, stop=(middle,)),
        SamplingParams(max_tokens=60, temperature=0.0, logit_bias=((2, 9.0),)),
    ):
        wanted = plain_events(run(params, None)[1])
        assert plain_events(run(params, oracle(params))[1]) == wanted
        assert all(each[-1].finish for each in wanted.values())


def test_logprobs_are_those_of_plain_decoding() -> None:
    params = knobs(20, temperature=0.7, top_logprobs=2)
    wanted = events_of(run(params, None, 1)[1])["req-0"]
    found = events_of(run(params, oracle(params), 1)[1])["req-0"]
    assert [e.logprob for e in found] == pytest.approx([e.logprob for e in wanted])
    assert [[t for t, _ in e.top] for e in found] == [
        [t for t, _ in e.top] for e in wanted
    ]


@pytest.mark.parametrize("is_early", [False, True])
def test_preempted_answers_are_the_same_and_no_draft_costs_anyone_a_block(
    is_early: bool,
) -> None:
    params = knobs(50, temperature=0.9)
    wanted = tokens_of(run(params, None)[1])
    make = early(1) if is_early else oracle(params, 7)
    engine, reports = run(params, make, num_blocks=28)
    assert tokens_of(reports) == wanted
    assert any(report.preempted for report in reports)
    assert engine.counts().free_blocks == 28


def test_forks_and_choices_draft_on_shared_blocks_and_change_nobody() -> None:
    """Blocks are copied on write before the early exit writes into them."""
    found = []
    for make in (None, early(1)):
        engine = tiny_engine(max_drafts=5 if make else 0, drafter=make)
        params = knobs(24, temperature=0.9, seed=5)
        first = engine.add_choices(PROMPTS[0], params, 3)[0]
        reports = [engine.step() for _ in range(4)]
        engine.fork(first, token_id=9, at=2, name="fork")
        found.append(tokens_of(reports + drain(engine)))
    assert found[0] == found[1]
    assert len(found[0]) == 4


def test_aborting_in_the_middle_of_a_drafted_answer_frees_its_blocks() -> None:
    params = knobs(60, temperature=0.0)
    engine = tiny_engine(max_drafts=5, drafter=oracle(params))
    name = engine.add(PROMPTS[0], params)
    for _ in range(4):
        engine.step()
    assert engine.abort(name)
    last = drain(engine)[-1].emitted[-1]
    assert (last.finish, last.token_id) == (FinishReason.ABORT, None)
    assert engine.counts().free_blocks == 64


def test_watched_request_is_shown_each_token_and_not_drafted_for() -> None:
    seen: list[StageView] = []
    params = knobs(12, temperature=0.0)
    engine = tiny_engine(max_drafts=5, drafter=oracle(params))
    engine.add(PROMPTS[0], params, watch=lambda request, view: seen.append(view))
    drain(engine)
    assert [view.name for view in seen].count("draw") == 12
    stats = engine.draft_stats()
    assert stats.num_drafted == 0


def test_leaving_after_the_last_layer_is_always_right() -> None:
    engine, reports = run(knobs(30, temperature=0.9), early(2), 1)
    stats = engine.draft_stats()
    assert stats.acceptance == 1
    assert len(reports) < 10


def test_engine_without_drafts_drafts_nothing() -> None:
    engine, _ = run(knobs(20, temperature=0.0), None)
    assert engine.draft_stats() == DraftStats(0, 0, 0)


ADD = st.tuples(st.just("add"), st.integers(1, 30), st.integers(1, 40))
STEP = st.tuples(st.just("step"), st.just(0), st.just(0))
ABORT = st.tuples(st.just("abort"), st.integers(0, 40), st.just(0))
OPERATIONS = st.lists(st.one_of(ADD, STEP, STEP, ABORT), min_size=60, max_size=60)


@pytest.mark.parametrize("make", [lambda runner: Babbler(), early(1)])
@seed(21)
@settings(max_examples=3, deadline=None)
@given(OPERATIONS)
def test_random_operations_with_drafts_balance_after_every_single_one(
    make: Make, operations: list[tuple[str, int, int]]
) -> None:
    """12 blocks of 4, 3 seats, 9 tokens a step: drafts, preemptions and aborts."""
    engine = tiny_engine(
        num_blocks=12, max_running=3, max_step_tokens=9, max_drafts=4, drafter=make
    )
    reports = []
    for verb, first, second in operations:
        if verb == "add":
            prompt = [3 + i % 5 for i in range(first)]
            engine.add(prompt, knobs(min(second, 47 - first), temperature=1.0))
        elif verb == "abort":
            engine.abort(f"req-{first}")
        else:
            reports.append(engine.step())
            assert sum(part.num_tokens for part in reports[-1].scheduled) <= 9
        engine.check()
    reports += drain(engine)
    assert engine.counts().free_blocks == 12
    for each in events_of(reports).values():
        assert [event.index for event in each] == list(range(len(each)))
        assert [event.finish is None for event in each].count(False) == 1
