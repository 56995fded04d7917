"""The reader's handle on a real, scripted server; and without any."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from labkit.book import Lab, start
from labkit.book.hosts import Host, find_host, prepare
from labkit.clock import SystemClock
from labkit.errors import ConfigError, TraceError
from labkit.trace import Trace
from server.settings import Settings
from tests.support.running import RunningServer
from tests.support.scripted_backend import ScriptedBackend
from tests.support.tiny import tiny_model


@pytest.fixture
def lab() -> Iterator[Lab]:
    clock = SystemClock()
    backend = ScriptedBackend(clock, ("a", "b"))
    with RunningServer(Settings(), backend, clock) as running:
        yield start(chapter=10, server=running.url)


def test_start_says_where_we_are(capsys: pytest.CaptureFixture[str]) -> None:
    lab = start(chapter=10)
    assert capsys.readouterr().out.startswith("Chapter 10, layer streaming, seed 0.")
    assert repr(lab) == "<Lab: Chapter 10, layer streaming, seed 0>"


def test_start_refuses_a_chapter_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="chapter=13"):
        start(chapter=13)


def test_start_imports_no_torch_and_opens_nothing() -> None:
    code = "from labkit.book import start; start(chapter=10); import sys; "
    check = "assert not {'torch', 'plotly', 'jupyter_server'} & set(sys.modules)"
    subprocess.run(
        [sys.executable, "-c", code + check], check=True, capture_output=True
    )


def test_a_request_is_traced_through_the_server(lab: Lab) -> None:
    for prompt in (None, "hi", [{"role": "user", "content": "hi"}]):
        trace = lab.trace(prompt, temperature=0)
        assert isinstance(trace, Trace)
        assert trace.named("render").duration_s >= 0


def test_the_request_cannot_be_spoilt_for_others(lab: Lab) -> None:
    lab.request.clear()
    assert lab.request[0]["role"] == "system"


def test_engines_of_a_chapter_share_the_weights_and_no_pool() -> None:
    lab = start(chapter=7)
    lab.model = tiny_model()  # a cached property takes what it is given
    one, other = lab.engine, lab.engine_with(num_blocks=24, block_size=4)
    assert one.model is other.model
    assert one.kv is not other.kv
    assert other.counts().total_blocks == 24
    with pytest.raises(ConfigError, match="did you mean num_blocks"):
        lab.engine_with(num_block=24)


def test_the_opening_shows_the_recorded_life_a_box_and_what_is_done(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    lab.opening()
    out = capsys.readouterr().out
    assert "TraceBar" in out
    assert "AskBox" in out
    assert "So far" not in out  # nobody reads here


def test_a_prompt_is_answered_and_followed(lab: Lab) -> None:
    bar = lab.follow(Following())
    box = lab.ask("What is a token?")
    assert box.wait()
    assert (box.status, box.answer) == ("done", "ab")
    assert bar.asked == [[lab.request[0], {"role": "user", "content": box.prompt}]]
    assert lab.ask() is box
    assert (box.status, box.prompt) == ("idle", lab.request[1]["content"])
    assert bar.asked[1] == lab.request


class Following:
    def __init__(self) -> None:
        self.asked: list[object] = []

    def ask(self, messages: object) -> None:
        self.asked.append(messages)


def test_checks_count_what_is_solved(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    lab.check("10.1", 2.8)
    lab.check("10.3")
    out = capsys.readouterr().out.splitlines()
    assert [line[0] for line in out] == ["✓", "…"]
    assert lab.solved == {"10.1"}


def test_an_unknown_exercise_and_a_hint_are_sentences(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    lab.check("99.9", 3)
    lab.hint("10.1")
    lab.hint("10.9")
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("✗ there is no exercise '99.9'; the exercises are 7.1,")
    assert out[1].startswith("Hint for 10.1: the first token costs TTFT")
    assert out[2].endswith("the exercises are 10.1, 10.2, 10.3, 10.4.")


def test_text_outputs_are_rendered(lab: Lab) -> None:
    assert lab.md("**3** ms").markdown == "**3** ms"
    assert lab.table(["a"], [[1]]).plain == "a\n1"
    assert "def start" in lab.source(start).plain


def test_a_recording_of_the_other_kind_is_named(
    lab: Lab, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    with pytest.raises(TraceError, match="no recording 'nothing'"):
        lab.replay("nothing")


def test_hosts_are_told_by_what_they_have_loaded() -> None:
    assert find_host({"google.colab": sys, "ipykernel": sys}) is Host.COLAB
    assert find_host({"ipykernel": sys}) is Host.JUPYTER
    assert find_host({}) is Host.PLAIN
    prepare(Host.PLAIN)
