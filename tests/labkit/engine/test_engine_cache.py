"""What the engine finds computed already, shares and throws out changes no token."""

from __future__ import annotations

import pytest

from labkit.engine.engine import Engine
from labkit.errors import InputError, NeverFits, QueueFull
from labkit.model import reference
from labkit.records import StepReport
from labkit.sequence import FinishReason, SamplingParams
from tests.support.engines import HELLO, drain, events_of, knobs, tiny_engine, tokens_of
from tests.support.tiny import tiny_model

LONG = tuple(range(60, 93))  # 33 tokens: 8 full blocks and one token more
GREEDY = knobs(max_tokens=12, temperature=0.0)


def cold(prompt: tuple[int, ...], params: SamplingParams = GREEDY) -> list[int | None]:
    engine = tiny_engine(prefix_caching=False, num_blocks=128)
    name = engine.add(prompt, params)
    return tokens_of(drain(engine))[name]


def run(engine: Engine, prompt: tuple[int, ...], salt: str | None = None) -> int:
    """Answer `prompt`; tokens of it that were found in the cache."""
    name = engine.add(prompt, GREEDY, salt=salt)
    parts = [p for report in drain(engine) for p in report.scheduled]
    return next(part.start for part in parts if part.request == name)


def test_cached_answer_equals_the_cold_one() -> None:
    engine = tiny_engine(num_blocks=128)
    params = [GREEDY, knobs(max_tokens=12, temperature=1.2, top_p=0.9, seed=4)]
    engine.add(LONG, GREEDY)
    drain(engine)
    names = [engine.add(LONG, each) for each in params]
    tokens = tokens_of(drain(engine))
    assert [tokens[name] for name in names] == [cold(LONG, each) for each in params]
    assert engine.cache_stats().hit_tokens == 64


def test_answer_that_became_a_prompt_is_found_too() -> None:
    engine = tiny_engine()
    first = engine.add(LONG, GREEDY)
    answer = tokens_of(drain(engine))[first]
    turn = (*LONG, *(token for token in answer if token is not None), 9, 9)
    assert run(engine, turn) == 44  # 33 + 12 - 1 tokens are computed: 11 blocks


def test_other_salt_finds_nothing() -> None:
    engine = tiny_engine()
    found = [run(engine, LONG, salt) for salt in ("a", "b", None, "a", None)]
    assert found == [0, 0, 0, 32, 32]


def test_every_event_says_how_much_of_the_prompt_was_cached() -> None:
    engine = tiny_engine()
    for cached in (0, 32):
        name = engine.add(LONG, GREEDY)
        found = events_of(drain(engine))[name]
        assert {event.num_cached for event in found} == {cached}


def test_fork_counts_no_more_of_the_prompt_as_cached_than_there_is() -> None:
    engine = tiny_engine()
    name = engine.add(LONG, GREEDY)
    drain(engine)
    fork = engine.fork(name, at=8)
    assert events_of(drain(engine))[fork][0].num_cached == len(LONG)


def test_without_prefix_caching_nothing_is_found() -> None:
    engine = tiny_engine(prefix_caching=False)
    assert [run(engine, LONG), run(engine, LONG)] == [0, 0]


def test_cache_is_forgotten_on_request_but_not_while_one_runs() -> None:
    engine = tiny_engine()
    engine.add(LONG, GREEDY)
    engine.step()
    assert not engine.reset_cache()
    drain(engine)
    assert engine.reset_cache()
    assert run(engine, LONG) == 0


def test_blocks_can_be_looked_at() -> None:
    engine = tiny_engine()
    name = engine.add(HELLO, GREEDY)
    engine.step()
    first, second, third, *_ = engine.block_views()
    assert first.token_ids + second.token_ids + third.token_ids == HELLO
    assert (third.owners, third.num_filled, third.hash) == ((name,), 2, None)
    assert (second.parent, second.ref_count) == (first.hash, 1)


def crowd(engine: Engine, **others: float) -> tuple[list[StepReport], list[str]]:
    """Five answers that together need far more blocks than there are."""
    prompts = [tuple(range(40 + 7 * i, 52 + 8 * i)) for i in range(5)]
    names = [
        engine.add(prompt, knobs(max_tokens=14, seed=i, **others))
        for i, prompt in enumerate(prompts)
    ]
    return drain(engine), names


@pytest.mark.parametrize("policy", ["decode-first", "prefill-first"])
@pytest.mark.parametrize("prefix_caching", [True, False])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_preempted_output_is_the_same(
    policy: str, prefix_caching: bool, temperature: float
) -> None:
    tight = tiny_engine(num_blocks=14, policy=policy, prefix_caching=prefix_caching)
    reports, names = crowd(tight, temperature=temperature)
    assert sum(len(report.preempted) for report in reports) > 0
    roomy, same_names = crowd(tiny_engine(num_blocks=200), temperature=temperature)
    assert not any(report.preempted for report in roomy)
    got, wanted = tokens_of(reports), tokens_of(roomy)
    assert [got[n] for n in names] == [wanted[n] for n in same_names]


def test_choices_share_the_prompt_and_differ_in_the_answer() -> None:
    engine = tiny_engine(max_step_tokens=64)
    names = engine.add_choices(LONG, knobs(temperature=1.5, seed=3), 3)
    reports = drain(engine)
    computed = sum(p.num_tokens for r in reports for p in r.scheduled if p.is_prefill)
    assert computed == 33 + 2  # and the last prompt token once more for each
    tokens = tokens_of(reports)
    assert len({tuple(tokens[name]) for name in names}) == 3
    for number, name in enumerate(names):
        alone = knobs(temperature=1.5, seed=3 + number)
        assert tokens[name] == cold(LONG, alone)


@pytest.mark.parametrize("prefix_caching", [True, False])
def test_choices_write_into_copies_of_the_last_block(prefix_caching: bool) -> None:
    engine = tiny_engine(prefix_caching=prefix_caching)
    seen: list[StepReport] = []
    engine.observe(seen.append)
    engine.add_choices(HELLO, knobs(temperature=1.5, seed=3), 3)
    drain(engine)
    kinds = [event.kind for report in seen for event in report.block_events]
    assert (kinds.count("share"), kinds.count("copy")) == (6, 2)


def test_more_choices_than_run_and_wait_are_refused_with_the_numbers() -> None:
    engine = tiny_engine(max_running=1, max_waiting=2)
    with pytest.raises(NeverFits, match="n=4: at most 3 requests can run and wait"):
        engine.add_choices(HELLO, GREEDY, 4)
    engine.add(HELLO, GREEDY)
    with pytest.raises(QueueFull):
        engine.add_choices(HELLO, GREEDY, 3)
    assert engine.counts().num_waiting == 1
    assert len(engine.add_choices(HELLO, GREEDY, 1)) == 1


@pytest.mark.parametrize(("max_running", "max_waiting"), [(4, 1), (32, 64), (2, 0)])
def test_places_count_only_those_that_no_seat_is_free_for(
    max_running: int, max_waiting: int
) -> None:
    """vllm-project/vllm#58192: an idle engine refused, since nobody had a seat yet."""
    seats = {"max_running": max_running, "max_step_tokens": 64}
    engine = tiny_engine(max_waiting=max_waiting, **seats)
    for _ in range(max_running + max_waiting):
        engine.add(HELLO[:2], knobs(1))
    with pytest.raises(QueueFull):
        engine.add(HELLO[:2], knobs(1))
    drain(engine)
    assert engine.add(HELLO[:2], knobs(1))


def test_recomputing_after_a_preemption_is_no_hit() -> None:
    """vllm-project/vllm#25780: each came in twice and found its own blocks."""
    engine = tiny_engine(num_blocks=3, block_size=2)
    for prompt in ((5, 6), (7, 8)):
        engine.add(prompt, knobs(3))
    reports = drain(engine)
    assert any(report.preempted for report in reports)
    stats = engine.cache_stats()
    assert (stats.num_requests, stats.query_tokens, stats.hit_tokens) == (2, 4, 0)


@pytest.mark.parametrize("has_ended", [False, True])
def test_fork_goes_on_from_another_candidate(has_ended: bool) -> None:
    engine = tiny_engine()
    name = engine.add(HELLO, GREEDY)
    drain(engine) if has_ended else [engine.step() for _ in range(8)]
    answer = reference.generate(tiny_model().decoder, HELLO, 12)
    branch = engine.fork(name, token_id=77, at=5, name="branch")
    events = events_of(drain(engine))[branch]
    known = [*HELLO, *answer[:5], 77]
    wanted = reference.generate(tiny_model().decoder, known, 6)
    assert [event.token_id for event in events] == [77, *wanted]
    assert [event.index for event in events] == list(range(5, 12))


def test_fork_computes_only_what_it_does_not_share() -> None:
    engine = tiny_engine()
    name = engine.add(LONG, GREEDY)
    for _ in range(8):
        engine.step()
    branch = engine.fork(name, token_id=77)
    part = next(p for p in engine.step().scheduled if p.request == branch)
    assert part.num_tokens <= 2
    assert not part.is_prefill or part.start > len(LONG)
    drain(engine)


def test_fork_without_a_token_draws_one_with_fresh_noise() -> None:
    engine = tiny_engine()
    params = knobs(max_tokens=12, temperature=2.0, seed=5)
    name = engine.add(HELLO, params)
    answer = tokens_of(drain(engine))[name]
    branch, same = engine.fork(name, at=4), engine.fork(name, at=4, params=params)
    tokens = tokens_of(drain(engine))
    assert tokens[same] == answer[4:]
    assert tokens[branch] != answer[4:]


def test_fork_of_a_fork_whose_parent_was_aborted_in_the_queue() -> None:
    engine = tiny_engine(max_running=1)
    first = engine.add(HELLO, GREEDY)
    second = engine.fork(first, token_id=50)
    third = engine.fork(second, token_id=51)
    engine.abort(second)
    tokens = tokens_of(drain(engine))
    wanted = reference.generate(tiny_model().decoder, [*HELLO, 50, 51], 10)
    assert tokens[third] == [51, *wanted]


def test_forced_token_may_be_the_last() -> None:
    engine = tiny_engine()
    name = engine.add(HELLO, GREEDY)
    drain(engine)
    branch = engine.fork(name, token_id=77, at=11)
    (event,) = events_of(drain(engine))[branch]
    assert (event.token_id, event.finish) == (77, FinishReason.LENGTH)
    assert engine.counts().free_blocks == 64


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"request": "nobody"}, "'nobody' is not open and not one of the last 64"),
        ({"at": 13}, "has 12 output tokens; use 0 to 12"),
        ({"at": 12}, "max_tokens=12 leaves nothing"),
        ({"token_id": -1}, "token_id: token id -1 is not in the vocabulary"),
        ({"name": "taken"}, "'taken' is in use"),
    ],
)
def test_fork_that_cannot_be_is_refused(wrong: dict[str, object], words: str) -> None:
    engine = tiny_engine()
    engine.add(HELLO, GREEDY, request="done")
    drain(engine)
    engine.add(HELLO, GREEDY, request="taken")
    with pytest.raises(InputError, match=words):
        engine.fork(**{"request": "done", "at": 3, **wrong})  # type: ignore[arg-type]
    assert engine.counts().num_waiting == 1


def test_only_the_newest_ended_requests_are_remembered() -> None:
    engine = tiny_engine()
    for number in range(70):
        engine.add(HELLO, knobs(max_tokens=1), request=f"r{number}")
        drain(engine)
    with pytest.raises(InputError, match="'r5' is not open"):
        engine.fork("r5", at=0)
    assert engine.fork("r6", at=0)


def test_nothing_is_left_when_all_have_ended() -> None:
    engine = tiny_engine(num_blocks=20)
    for _ in range(3):
        engine.add_choices(LONG, knobs(temperature=1.0), 2)
        engine.fork(engine.add(HELLO, GREEDY), token_id=50)
        drain(engine)
    counts = engine.counts()
    assert (counts.num_running, counts.num_waiting, counts.free_blocks) == (0, 0, 20)
    assert all(view.ref_count == 0 for view in engine.block_views())
    assert engine.reset_cache()
    assert not any(view.hash for view in engine.block_views())
