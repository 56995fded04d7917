"""StreamView without a page: threads, stops, failures, reports."""

from __future__ import annotations

import json
import math
import signal
import threading
from collections.abc import Iterator

import pytest

from labkit.errors import ConfigError, ServerUnavailable
from labkit.records import StreamChunk, Usage
from labkit.widgets import StreamView
from labkit.widgets.chunks import to_page
from labkit.widgets.stream_run import broken_words
from labkit.widgets.stream_view import StreamInterrupted
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

    is_complete = True
    error = None


class Failing:
    """A source that cannot be reached, or fails in its own way."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def stream(self, messages: object, **knobs: object) -> Gate:
        raise self.error


def interrupt_when(ready: threading.Event) -> None:
    """Press Ctrl-C, as a notebook's interrupt does, once `ready` is set."""
    assert ready.wait(10)
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def page_says(view: StreamView, op: str, **values: object) -> None:
    view._receive(view, {"op": op, **values}, [])


def test_run_reads_the_whole_stream_with_the_knobs_given() -> None:
    source = ScriptedSource(chunks())
    view = StreamView(source, HELLO, max_tokens=10, seed=7)
    view.run()
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
    view = StreamView(Failing(error), HELLO)
    view.run()
    assert (view.status, view.problem) == ("failed", words)


@pytest.mark.parametrize("reason", [None, "the connection broke: reset"])
def test_stream_without_its_end_is_broken_off_and_never_done(reason) -> None:
    source = ScriptedSource(chunks(), breaks_after=5, error=reason)
    view = StreamView(source, HELLO)
    view.run()
    assert view.status == "failed"
    assert view.problem.startswith("The stream broke off: ")
    assert view.problem.endswith("not the whole answer: press Start to ask again.")
    assert view.text == "".join(PIECES[:4])


def test_server_s_own_word_about_a_broken_stream_is_told() -> None:
    told = broken_words("the engine's process has ended; a new one is being loaded")
    assert "a new one is being loaded. What is shown" in told


def test_run_gives_nothing_back_so_that_a_cell_shows_the_view_once() -> None:
    assert StreamView(ScriptedSource(chunks()), HELLO).run() is None


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Python's own handler, which a background job does not have."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_interrupting_a_run_stops_the_stream_and_is_one_line() -> None:
    gate = Gate()
    view = StreamView(gate, HELLO)
    threading.Thread(target=interrupt_when, args=(gate.opened,)).start()
    with pytest.raises(StreamInterrupted) as caught:
        view.run()
    assert gate.cancelled.is_set()
    assert view.status == "stopped"
    shown = caught.value._render_traceback_()
    assert shown == ["Interrupted: the stream was stopped."]


def test_reader_s_own_messages_are_sent_from_then_on() -> None:
    source = ScriptedSource(chunks())
    view = StreamView(source, HELLO)
    own = [{"role": "user", "content": "why?"}]
    view.ask(own)
    assert source.requests == []
    view.run()
    assert source.requests == [(own, {})]


def test_prompt_of_the_page_replaces_the_last_message_only() -> None:
    source = ScriptedSource(chunks())
    system = {"role": "system", "content": "be kind"}
    view = StreamView(source, [system, *HELLO])
    for prompt in ("why?", "  ", None):
        page_says(view, "start", knobs={}, prompt=prompt)
        view.wait(10)
    want = [system, {"role": "user", "content": "why?"}]
    assert [messages for messages, _ in source.requests] == [want] * 3


def test_page_gets_the_probability_of_every_token() -> None:
    entry = {"token": "The", "logprob": math.log(0.75), "bytes": None}
    other = {"token": "A", "logprob": math.log(0.25), "bytes": None}
    content = [{**entry, "top_logprobs": [entry, other]}]
    body = {"choices": [{"index": 0, "logprobs": {"content": content}}]}
    raw = f"data: {json.dumps(body)}\n\n"
    shown = to_page(StreamChunk(0, 0.1, "content", raw, "The"))
    others = [{"text": "A", "p": 0.25}]
    assert shown["tokens"] == [{"text": "The", "p": 0.75, "others": others}]


@pytest.mark.parametrize(
    "body", ["", "[", '{"choices": 3}', '{"choices": [{"logprobs": {"content": 5}}]}']
)
def test_frame_that_tells_no_probabilities_has_none(body: str) -> None:
    raw = f'data: {body}\n: "top_logprobs"\n\n'
    assert to_page(StreamChunk(0, 0.1, "content", raw, "The"))["tokens"] == []


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
