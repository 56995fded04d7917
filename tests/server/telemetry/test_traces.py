"""The trace of a request: its parts add up, and traces and their number are bounded."""

from __future__ import annotations

from itertools import pairwise

import pytest

from labkit.clock import FakeClock
from labkit.records import Layer, Usage
from labkit.trace import Trace
from server.outcomes import Outcome
from server.outputs import Accepted, Output, StepTiming
from server.telemetry import TraceRecorder, TraceStore
from tests.server.conftest import Start
from tests.support.running import RunningServer

PARTS = ["parse", "render", "tokenize", "queue", "prefill", "sample", "detokenize"]


def step(clock: FakeClock, index: int | None, text: str = "") -> Output:
    """A step of 1 s: 0.5 compute, 0.25 sampling, 0.25 detokenising."""
    start = clock.now()
    clock.advance(1.0)
    timing = StepTiming(index or 0, start, start + 0.5, start + 0.75, start + 1)
    tokens = 0 if index is None else index + 1
    return Output(
        Usage(3, tokens), text, index=index, time_s=start + 0.75, timing=timing
    )


def until_first_token(
    clock: FakeClock, recorder: TraceRecorder, text: str = ""
) -> Output:
    """The request is parsed, its prompt is made, and the first token is there."""
    clock.advance(0.5)
    recorder.lap("parse", Layer.GATEWAY)
    now = clock.now()
    accepted = Accepted(now + 0.5, now + 1.0, 9, "tiny", "cpu")
    clock.advance(1.0)
    recorder.on_event(Output(Usage(3, 0), accepted=accepted))
    clock.advance(2.0)  # in the queue
    recorder.on_event(step(clock, None))
    first = step(clock, 0, text)
    recorder.on_event(first)
    clock.advance(0.5)
    return first


def new_trace(clock: FakeClock, max_steps: int = 9) -> TraceRecorder:
    store = TraceStore(1)
    return TraceRecorder("r", clock, store, origin_s=clock.now(), max_steps=max_steps)


def test_time_to_first_token_is_the_sum_of_its_parts() -> None:
    clock = FakeClock(now=100.0)
    recorder = new_trace(clock)
    recorder.on_sent(until_first_token(clock, recorder))
    trace = recorder.trace()
    lengths = {s.name: s.duration_s for s in trace.spans}
    assert list(lengths) == [*PARTS, "flush"]
    assert lengths["prefill"] == 1.5  # both chunks of the prompt
    assert sum(lengths.values()) == trace.marks_named("first_token")[0].time_s == 6.0


def test_parts_touch_each_other_on_a_running_server(
    tiny_server: RunningServer,
) -> None:
    run = tiny_server.chat(stream=True).headers["x-request-id"]
    trace = Trace.from_dict(tiny_server.get(f"/v1/traces/{run}").json)
    spans = [trace.named(name) for name in (*PARTS, "flush")]
    total = sum(span.duration_s for span in spans)
    first = trace.marks_named("first_token")[0].time_s
    assert total == pytest.approx(first, abs=2e-5)  # times are kept to 1e-6
    for left, right in pairwise(spans):
        assert right.start_s == pytest.approx(left.end_s, abs=1e-6)


def test_held_back_text_is_a_span_of_its_own() -> None:
    clock = FakeClock()
    recorder = new_trace(clock)
    recorder.on_sent(until_first_token(clock, recorder))
    second = step(clock, 1, "Hi")
    recorder.on_event(second)
    recorder.on_sent(second)
    trace = recorder.trace()
    assert trace.named("hold").duration_s == 1.0
    [first] = trace.marks_named("first_text")
    assert (first.time_s, first.key.token) == (7.0, 1)
    assert trace.named("decode").key.step == 1


def test_text_of_the_first_token_is_not_held() -> None:
    clock = FakeClock()
    recorder = new_trace(clock)
    recorder.on_sent(until_first_token(clock, recorder, "H"))
    recorder.on_sent(step(clock, 1, "i"))
    marks = recorder.trace().marks_named("first_text")
    assert [(m.time_s, m.key.token) for m in marks] == [(6.0, 0)]
    assert all(s.name != "hold" for s in recorder.trace().spans)


def test_an_engine_that_is_further_on_does_not_move_the_first_text() -> None:
    clock = FakeClock()
    recorder = new_trace(clock)
    first, second = until_first_token(clock, recorder, "H"), step(clock, 1, "i")
    recorder.on_event(second)  # told before the socket has the first
    recorder.on_sent(first)
    recorder.on_sent(second)
    assert [m.key.token for m in recorder.trace().marks_named("first_text")] == [0]
    assert all(s.name != "hold" for s in recorder.trace().spans)


def test_steps_beyond_the_limit_are_counted_only() -> None:
    clock = FakeClock()
    recorder = new_trace(clock, max_steps=2)
    until_first_token(clock, recorder)
    for index in range(1, 5):
        recorder.on_event(step(clock, index))
    recorder.on_end(Usage(3, 5), Outcome.FINISHED)
    assert recorder.trace().meta["steps_not_recorded"] == 3
    assert len(recorder.trace().marks_named("token")) == 2


def test_a_trace_holds_no_text(scripted: Start) -> None:
    server, _ = scripted("secret")
    run = server.chat().json["id"]
    assert b"secret" not in server.get(f"/v1/traces/{run}").body


def test_marks_say_when_each_thing_was_first(tiny_server: RunningServer) -> None:
    run = tiny_server.chat(stream=True).headers["x-request-id"]
    trace = Trace.from_dict(tiny_server.get(f"/v1/traces/{run}").json)
    names = ("first_chunk", "first_token", "first_text", "finish")
    assert [len(trace.marks_named(name)) for name in names] == [1, 1, 1, 1]
    assert [m.key.token for m in trace.marks_named("token")] == [0, 1, 2, 3]
    assert trace.meta["outcome"] == "finished"
    assert trace.meta["completion_tokens"] == 4


def test_a_store_keeps_the_newest_traces() -> None:
    store, clock = TraceStore(2), FakeClock()
    recorders = [TraceRecorder(n, clock, store, origin_s=0.0) for n in "abc"]
    for recorder in recorders:
        store.put(recorder)
    assert store.get("local", "a") is None
    assert store.get("local", "c") is recorders[2]


def test_one_tenants_traces_neither_show_nor_push_out_anothers() -> None:
    store, clock = TraceStore(1), FakeClock()
    for tenant in ("a", "b"):
        made = TraceRecorder(tenant, clock, store, origin_s=0.0, tenant=tenant)
        store.put(made)
    assert store.get("a", "a") is not None
    assert store.get("a", "b") is None
    assert store.get("b", "a") is None


def test_an_unknown_trace_is_404(scripted: Start) -> None:
    server, _ = scripted("a")
    reply = server.get("/v1/traces/nobody")
    assert (reply.status, reply.json["error"]["code"]) == (404, "trace_not_found")
