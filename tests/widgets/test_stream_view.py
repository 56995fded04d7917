"""StreamView without a page: threads, stops, failures, reports."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from labkit.errors import ConfigError, ServerUnavailable
from labkit.records import StreamChunk, Usage
from labkit.widgets import StreamView
from tests.support.requests import PIECES, chunks
from tests.support.streams import ScriptedSource

HELLO = [{"role": "user", "content": "hello"}]


class Gate:
    """A stream that gives one chunk and then waits for `cancel()`."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.cancelled = threading.Event()

    def stream(self, messages: object, **knobs: object) -> Gate:
        return self

    def __iter__(self) -> Iterator[StreamChunk]:
        yield chunks()[1]
        self.opened.set()
        assert self.cancelled.wait(10)

    def cancel(self) -> None:
        self.cancelled.set()


class Failing:
    """A source that cannot be reached, or fails in its own way."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def stream(self, messages: object, **knobs: object) -> Gate:
        raise self.error


def page_says(view: StreamView, op: str, **values: object) -> None:
    view._receive(view, {"op": op, **values}, [])


def test_run_reads_the_whole_stream_with_the_knobs_given() -> None:
    source = ScriptedSource(chunks())
    view = StreamView(source, HELLO, max_tokens=10, seed=7).run()
    assert source.requests == [(HELLO, {"max_tokens": 10, "seed": 7})]
    assert (view.status, view.text) == ("done", "".join(PIECES))
    assert len(view.recorded) == len(view.chunks) == 13


def test_start_does_not_wait_for_the_stream() -> None:
    gate = Gate()
    view = StreamView(gate, HELLO)
    view.start()
    assert gate.opened.wait(10)
    assert view.status == "running"
    assert view.text == "The"
    view.stop()
    view.wait(10)


def test_stop_of_the_page_cancels_the_stream_itself() -> None:
    gate = Gate()
    view = StreamView(gate, HELLO)
    page_says(view, "start", knobs={})
    assert gate.opened.wait(10)
    page_says(view, "stop")
    assert view.wait(10).status == "stopped"
    assert gate.cancelled.is_set()
    assert view.text == "The"


def test_stop_works_while_somebody_holds_the_lock() -> None:
    gate = Gate()
    view = StreamView(gate, HELLO)
    view.start()
    assert gate.opened.wait(10)
    with view._lock:
        stopper = threading.Thread(target=page_says, args=(view, "stop"))
        stopper.start()
        assert gate.cancelled.wait(10)
    stopper.join()
    assert view.wait(10).status == "stopped"


def test_stop_without_a_stream_does_nothing() -> None:
    view = StreamView(Gate(), HELLO)
    view.stop()
    assert view.status == "idle"


def test_second_start_while_running_sends_no_second_request() -> None:
    source = ScriptedSource(chunks(), pause_s=0.005)
    view = StreamView(source, HELLO)
    view.start()
    view.start()
    view.wait(30)
    assert len(source.requests) == 1


def test_new_run_begins_with_an_empty_stream() -> None:
    view = StreamView(ScriptedSource(chunks()), HELLO)
    view.run()
    view.run()
    assert len(view.chunks) == 13


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ServerUnavailable("no server at ..."), "no server at ..."),
        (RuntimeError("bug"), "RuntimeError: bug"),
    ],
)
def test_failure_is_shown_and_does_not_escape_the_thread(error, words) -> None:
    view = StreamView(Failing(error), HELLO).run()
    assert (view.status, view.problem) == ("failed", words)


def test_stream_that_takes_too_long_is_stopped() -> None:
    gate = Gate()
    with pytest.raises(ConfigError, match=r"no end after 0\.05 s: stopped"):
        StreamView(gate, HELLO).run(limit_s=0.05)
    assert gate.cancelled.is_set()


def test_page_turns_knobs_that_there_are_and_no_others() -> None:
    source = ScriptedSource(chunks())
    view = StreamView(source, HELLO, temperature=0.5)
    page_says(view, "start", knobs={"temperature": 1.5})
    view.wait(10)
    assert source.requests[0][1] == {"temperature": 1.5}
    with pytest.raises(ConfigError, match="no setting 'seed'"):
        page_says(view, "start", knobs={"seed": 3})


def test_unknown_transport_is_refused() -> None:
    with pytest.raises(ConfigError, match="use 'kernel' or 'browser'"):
        StreamView(None, [], transport="pigeon")


def test_report_of_a_page_becomes_records() -> None:
    view = StreamView(ScriptedSource([]), HELLO, transport="browser", max_tokens=5)
    usage = {"prompt_tokens": 34, "completion_tokens": 2}
    items = [
        {"ms": 10.5, "kind": "role", "raw": "data: x\n\n", "text": ""},
        {"ms": 20, "kind": "content", "raw": "", "text": "Hi", "finish": "length"},
        {"ms": 21, "kind": "usage", "raw": "", "text": "", "usage": usage},
        {"ms": 22, "kind": "nonsense", "raw": "", "finish": "no_such_reason"},
    ]
    page_says(view, "report", status="done", problem="", knobs={}, chunks=items)
    first, second, third, fourth = view.chunks
    assert (view.status, view.text) == ("done", "Hi")
    assert (first.index, first.time_s, first.raw) == (0, 0.0105, "data: x\n\n")
    assert second.finish == "length"
    assert third.usage == Usage(34, 2)
    assert (fourth.kind, fourth.finish) == ("other", "no_such_reason")


@pytest.mark.parametrize(
    "item",
    [
        None,
        {},
        {"ms": "soon", "kind": ["role"], "text": 5, "finish": {}, "usage": [1]},
        {"ms": float("nan"), "usage": {"prompt_tokens": "1", "completion_tokens": 2}},
        {"usage": {"prompt_tokens": -1, "completion_tokens": 10**400}},
    ],
)
def test_a_report_of_nonsense_is_a_chunk_that_says_nothing(item: object) -> None:
    view = StreamView(ScriptedSource([]), HELLO, transport="browser")
    page_says(view, "report", status="done", problem="", knobs={}, chunks=[item])
    assert view.chunks == (StreamChunk(0, 0.0, "other", ""),)


def test_half_a_surrogate_pair_of_a_page_can_be_shown() -> None:
    view = StreamView(ScriptedSource([]), HELLO, transport="browser")
    items = [{"ms": 1, "kind": "content", "text": "a\ud83c"}]
    page_says(view, "report", status="done", problem="", knobs={}, chunks=items)
    assert view.text.encode() == "a\ufffd".encode()
