"""One engine's behaviour from `add` to the last event, on a tiny random model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode

from labkit.clock import FakeClock
from labkit.config import EngineConfig
from labkit.engine.engine import Engine
from labkit.errors import InputError, NeverFits, QueueFull
from labkit.model import reference
from labkit.records import StageView
from labkit.sequence import FinishReason, SamplingParams
from tests.support.engines import HELLO, drain, events_of, knobs, tiny_engine, tokens_of
from tests.support.tiny import tiny_model

PROMPTS = [tuple(range(40 + 9 * i, 43 + 12 * i)) for i in range(8)]  # 3 to 24 tokens


def sampled(i: int) -> SamplingParams:
    heat = (0.7, 1.0, 1.4)[i % 3]
    return knobs(max_tokens=8 + i, temperature=heat, top_p=0.9, seed=i)


def alone(i: int) -> list[int | None]:
    engine = tiny_engine()
    engine.add(PROMPTS[i], sampled(i), request="r")
    return tokens_of(drain(engine))["r"]


def test_greedy_equals_the_reference_for_prompts_of_all_lengths() -> None:
    engine, decoder = tiny_engine(num_blocks=128), tiny_model().decoder
    for i, prompt in enumerate(PROMPTS):
        engine.add(prompt, knobs(max_tokens=12, temperature=0.0), request=str(i))
    tokens = tokens_of(drain(engine))
    for i, prompt in enumerate(PROMPTS):
        assert tokens[str(i)] == reference.generate(decoder, prompt, 12)


def test_sampled_text_is_the_same_alone_and_in_a_batch_of_eight() -> None:
    engine = tiny_engine(num_blocks=128)
    for i, prompt in enumerate(PROMPTS):
        engine.add(prompt, sampled(i), request=str(i))
    reports = drain(engine)
    assert max(report.num_running for report in reports) == 8
    assert [tokens_of(reports)[str(i)] for i in range(8)] == [
        alone(i) for i in range(8)
    ]


def test_sampled_text_is_the_same_when_requests_arrive_one_by_one() -> None:
    engine, reports = tiny_engine(), []
    for i, prompt in enumerate(PROMPTS):
        engine.add(prompt, sampled(i), request=str(i))
        reports += [engine.step(), engine.step()]
        engine.check()
    tokens = tokens_of(reports + drain(engine))
    assert [tokens[str(i)] for i in range(8)] == [alone(i) for i in range(8)]


def test_requests_without_a_seed_get_fresh_ones() -> None:
    engine = tiny_engine()
    for _ in range(2):
        engine.add(HELLO, knobs(max_tokens=10, temperature=2.0))
    first, second = tokens_of(drain(engine)).values()
    assert first != second


@pytest.mark.parametrize("num_steps", range(7))
def test_abort_frees_blocks_at_once_at_any_point(num_steps: int) -> None:
    engine = tiny_engine(max_step_tokens=4)
    name = engine.add(HELLO, knobs())
    reports = [engine.step() for _ in range(num_steps)]
    assert engine.abort(name)
    engine.check()
    assert (engine.counts().free_blocks, engine.counts().num_running) == (64, 0)
    last = drain(engine)[-1].emitted[-1]
    assert (last.token_id, last.finish) == (None, FinishReason.ABORT)
    assert last.index == sum(len(report.emitted) for report in reports)


def test_abort_of_an_unknown_or_ended_request_is_false() -> None:
    engine = tiny_engine()
    name = engine.add(HELLO, knobs())
    drain(engine)
    assert not engine.abort(name)
    assert not engine.has_work


def test_waiting_request_can_be_aborted() -> None:
    engine = tiny_engine(max_running=1)
    engine.add(HELLO, knobs(), request="a")
    engine.add(HELLO, knobs(), request="b")
    engine.step()
    engine.abort("b")
    assert engine.counts().num_waiting == 0
    assert len(events_of(drain(engine))["b"]) == 1


def test_id_is_in_use_until_its_last_event_is_out() -> None:
    engine = tiny_engine()
    engine.add(HELLO, knobs(), request="a")
    engine.abort("a")
    with pytest.raises(InputError, match="'a' is in use"):
        engine.add(HELLO, knobs(), request="a")
    engine.step()
    assert engine.add(HELLO, knobs(), request="a") == "a"


def test_given_and_made_up_ids_do_not_clash() -> None:
    engine = tiny_engine()
    engine.add(HELLO, knobs(), request="req-0")
    assert engine.add(HELLO, knobs()) == "req-1"


def test_full_queue_refuses_with_a_time_and_changes_nothing() -> None:
    engine = tiny_engine(max_running=1, max_waiting=1)
    engine.add(HELLO, knobs())
    engine.step()
    engine.add(HELLO, knobs())
    before = engine.counts()
    with pytest.raises(QueueFull) as refused:
        engine.add(HELLO, knobs())
    assert 1.0 <= refused.value.retry_after_s <= 60.0
    assert engine.counts() == before
    engine.check()


def test_prompt_beyond_the_context_never_fits() -> None:
    engine = tiny_engine(num_blocks=2)
    with pytest.raises(NeverFits, match="has 8 tokens"):
        engine.add(HELLO[:8], knobs())
    assert not engine.has_work


def test_context_end_is_a_length_finish() -> None:
    engine = tiny_engine(num_blocks=3)  # 12 tokens
    engine.add(HELLO, knobs(max_tokens=500), request="a")
    events = events_of(drain(engine))["a"]
    assert (len(events), events[-1].finish) == (2, FinishReason.LENGTH)


def test_requests_that_need_the_whole_pool_run_one_after_another() -> None:
    engine = tiny_engine(num_blocks=4)
    for name in "abc":
        engine.add(HELLO, knobs(max_tokens=6), request=name)
    reports = drain(engine)
    assert max(report.num_running for report in reports) == 1
    assert [len(tokens_of(reports)[name]) for name in "abc"] == [6, 6, 6]


def test_stream_gives_the_events_of_its_request_only() -> None:
    engine = tiny_engine()
    one = engine.stream(HELLO, knobs(max_tokens=4), request="one")
    two = engine.stream(HELLO[:5], knobs(max_tokens=7), request="two")
    assert not engine.has_work  # nothing happens before the first next
    pairs = [(next(one), next(two)) for _ in range(2)]
    rest = [*one], [*two]
    assert [len(events) for events in rest] == [2, 5]
    assert {event.request for event, _ in pairs} == {"one"}
    assert {event.request for _, event in pairs} == {"two"}
    assert not engine.has_work


def test_stream_closed_early_frees_its_blocks_at_once() -> None:
    engine = tiny_engine()
    stream = engine.stream(HELLO, knobs(max_tokens=50))
    next(stream)
    stream.close()
    assert engine.counts().free_blocks == 64
    assert not engine.has_work
    engine.check()


def test_stream_of_an_aborted_request_ends_with_its_last_event() -> None:
    engine = tiny_engine()
    stream = engine.stream(HELLO, knobs(max_tokens=50), request="a")
    next(stream)
    engine.abort("a")
    assert [event.finish for event in stream] == [FinishReason.ABORT]


def test_watch_that_raises_ends_its_own_request_and_no_other() -> None:
    engine = tiny_engine(max_running=2)

    def broken(request: str, view: StageView) -> None:
        raise RuntimeError(f"no eyes for {view.name} of {request}")

    engine.add(HELLO, knobs(), request="bad", watch=broken)
    engine.add(HELLO[:3], knobs(), request="beside")
    engine.add(HELLO, knobs(temperature=0.0), request="later")
    report = engine.step()
    assert report.error == "RuntimeError: no eyes for model of bad"
    assert [(e.request, e.finish) for e in report.emitted] == [
        ("bad", FinishReason.ERROR),
        ("beside", None),
    ]
    engine.check()
    assert engine.num_failed_steps == 0
    greedy = reference.generate(tiny_model().decoder, HELLO, 6)
    rest = tokens_of(drain(engine))
    assert rest["later"] == greedy
    assert len(rest["beside"]) == 5


def test_observer_sees_the_stages_of_its_own_request_only() -> None:
    engine, seen = tiny_engine(), []
    engine.add(HELLO, knobs(max_tokens=2), request="a", watch=lambda *s: seen.append(s))
    engine.add(HELLO, knobs(max_tokens=2), request="b")
    drain(engine)
    assert {request for request, _ in seen} == {"a"}
    assert [view.name for _, view in seen].count("draw") == 2


class CountTensors(TorchFunctionMode):
    """Counts the tensors that are made of two hundred numbers and more."""

    num_made = 0

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if func is torch.tensor and isinstance(args[0], list):
            self.num_made += len(args[0]) >= 200
        return func(*args, **(kwargs or {}))


def test_many_biases_are_turned_into_tensors_once_and_then_forgotten() -> None:
    engine, bias = tiny_engine(), tuple((i, 0.5) for i in range(200))
    for _ in range(2):
        engine.add(HELLO, knobs(max_tokens=6, logit_bias=bias), request="again")
        with CountTensors() as counted:
            drain(engine)
        assert counted.num_made == 2  # ids and values


def test_watching_changes_no_token() -> None:
    outputs = []
    for watch in (None, lambda request, view: None):
        engine = tiny_engine()
        engine.add(HELLO, knobs(max_tokens=9, top_p=0.8), request="a", watch=watch)
        outputs.append(tokens_of(drain(engine))["a"])
    assert outputs[0] == outputs[1]


def test_report_has_stamps_in_order_and_counts_after_the_step() -> None:
    class Ticking(FakeClock):
        def now(self) -> float:
            self.advance(1.0)
            return super().now()

    engine = tiny_engine(Ticking())
    engine.add(HELLO, knobs(max_tokens=1, top_logprobs=2))
    report = engine.step()
    stamps = (report.started_s, report.computed_s, report.sampled_s, report.ended_s)
    assert stamps == tuple(report.started_s + i for i in range(4))
    assert (report.num_running, report.num_waiting) == (0, 0)
    assert (report.blocks.free, report.blocks.held, report.blocks.cached) == (62, 0, 2)
    event = report.emitted[0]
    assert event.time_s == report.sampled_s
    assert event.logprob is not None
    assert len(event.top) == 2


def test_empty_step_is_harmless() -> None:
    report = tiny_engine(FakeClock(5.0)).step()
    assert (report.scheduled, report.emitted, report.error) == ((), (), None)
    assert report.started_s == report.computed_s == report.ended_s == 5.0


def test_two_engines_with_different_blocks_live_side_by_side() -> None:
    small, large = tiny_engine(block_size=2), tiny_engine(block_size=16)
    for engine in (small, large):
        engine.add(HELLO, knobs(max_tokens=9, temperature=0.0), request="a")
    assert tokens_of(drain(small)) == tokens_of(drain(large))


def test_end_of_text_is_an_event_without_text() -> None:
    model = tiny_model()
    ends = frozenset(reference.generate(model.decoder, HELLO, 3)[2:])
    spec = replace(model.tokenizer, eos_ids=tuple(ends))
    config = EngineConfig(block_size=4, num_blocks=16)
    engine = Engine(replace(model, tokenizer=spec), config, FakeClock())
    engine.add(HELLO, SamplingParams(max_tokens=9, temperature=0.0), request="a")
    events = events_of(drain(engine))["a"]
    assert events[-1].finish is FinishReason.STOP
    assert [e.is_counted for e in events] == [True] * (len(events) - 1) + [False]
    assert events[-1].token_id in ends
