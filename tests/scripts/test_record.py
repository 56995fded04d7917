"""Recording: both files open again, and both dialects say the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.clock import SystemClock
from labkit.dialects.readers import Dialect
from labkit.errors import ProtocolError
from labkit.labs.recordings import Recording, open_recording
from labkit.net.client import LabClient
from labkit.records import StreamChunk
from labkit.trace import Trace
from scripts.record import anthropic_arrivals, main, provenance, record_10
from server.settings import Settings
from tests.support.running import RunningServer
from tests.support.scripted_backend import ScriptedBackend


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    clock = SystemClock()
    backend = ScriptedBackend(clock, ("The ", "answer 🍓", " is 3."))
    with (
        RunningServer(Settings(), backend, clock) as running,
        LabClient(running.url, clock) as client,
    ):
        assert record_10(client, provenance(0.0), tmp_path) == 0
    return tmp_path


def test_both_files_open_again_with_their_provenance(folder: Path) -> None:
    trace = open_recording("request", "10", [folder])
    streams = open_recording("streams", "10", [folder])
    assert isinstance(trace, Trace)
    assert isinstance(streams, Recording)
    for meta in (trace.meta, streams.meta):
        assert meta["date"] == "1970-01-01"
        assert meta["command"] == "python -m scripts.record 10"
        assert meta["model"] == "scripted"
        assert "CPU" in str(meta["device"])


def test_both_dialects_say_the_same_at_the_same_time(folder: Path) -> None:
    streams = open_recording("streams", "10", [folder])
    assert isinstance(streams, Recording)
    shown = {
        name: [(c.time_s, c.text) for c in streams.chunks(name) if c.text]
        for name in Dialect
    }
    assert shown[Dialect.OPENAI] == shown[Dialect.ANTHROPIC]
    assert streams.text("anthropic") == "The answer 🍓 is 3."
    ends = [streams.chunks(name)[-1].kind for name in Dialect]
    assert ends == ["done", "done"]
    last = [[c.usage for c in streams.chunks(n) if c.usage][-1] for n in Dialect]
    assert last[0] == last[1]


def test_a_stream_without_usage_is_not_recorded() -> None:
    with pytest.raises(ProtocolError, match="no usage"):
        list(anthropic_arrivals([StreamChunk(0, 0.0, "done", "")], "m"))


def test_a_chapter_has_to_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "scripts.record 10" in capsys.readouterr().err
