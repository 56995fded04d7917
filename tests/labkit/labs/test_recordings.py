"""Recordings: saved, found and opened; anything else refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labkit.dialects.readers import Dialect
from labkit.errors import TraceError
from labkit.labs.recordings import (
    Arrival,
    Measured,
    Recording,
    data_folders,
    open_recording,
)
from labkit.trace import Trace
from tests.support import requests
from tests.support.stream_vectors import CASES, Case, plain

META = {"device": "2 CPU cores", "date": "2026-11-22", "command": "x", "model": "m"}


def recording() -> Recording:
    frames = requests.openai_frames()
    arrivals = tuple(Arrival(0.1 * i, frame) for i, frame in enumerate(frames))
    return Recording("10_streams", META, {Dialect.OPENAI: arrivals})


def test_a_recording_survives_the_file(tmp_path: Path) -> None:
    recording().save(tmp_path / "10_streams.json")
    found = open_recording("streams", "10", [tmp_path])
    assert isinstance(found, Recording)
    assert found.to_dict() == recording().to_dict()
    assert found.frames() == requests.openai_frames()
    assert found.text() == "".join(requests.PIECES)
    assert found.chunks()[2].time_s == pytest.approx(0.2)


def test_a_trace_is_found_by_its_full_name_too(tmp_path: Path) -> None:
    requests.trace().save(tmp_path / "10_request.json")
    assert isinstance(open_recording("10_request", "03", [tmp_path]), Trace)


def test_the_nearest_folder_wins_and_missing_ones_are_passed_over(
    tmp_path: Path,
) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    for folder, name in ((near, "near"), (far, "far")):
        folder.mkdir()
        Recording(name, META, {}).save(folder / "10_x.json")
    found = open_recording("x", "10", [tmp_path / "none", near, far])
    assert isinstance(found, Recording)
    assert found.name == "near"


def test_an_unknown_name_lists_what_there_is(tmp_path: Path) -> None:
    recording().save(tmp_path / "10_streams.json")
    with pytest.raises(TraceError, match="there are: 10_streams"):
        open_recording("steams", "10", [tmp_path])


def test_a_dialect_that_was_not_recorded_is_named() -> None:
    with pytest.raises(TraceError, match="no 'anthropic' stream"):
        recording().frames("anthropic")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "not JSON"),
        ("[]", "holds None"),
        ('{"schema": "other"}', "holds 'other'"),
        ('{"schema": "labkit.recording", "version": 2}', "version 2"),
        ('{"schema": "labkit.recording", "version": 1}', "damaged"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "x.json").write_text(content, encoding="utf-8")
    with pytest.raises(TraceError, match=reason):
        open_recording("x", "10", [tmp_path])


def test_recordings_are_looked_for_beside_the_notebook_first(tmp_path: Path) -> None:
    assert data_folders(tmp_path)[0] == tmp_path / "data"


def test_the_file_is_stable_and_readable(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    recording().save(path)
    text = path.read_text(encoding="utf-8")
    assert json.loads(text)["meta"] == META
    recording().save(path)
    assert path.read_text(encoding="utf-8") == text


def test_measured_numbers_survive_the_file(tmp_path: Path) -> None:
    kept = Measured("08_sweep", META, {"ms": {"1": 2.5}})
    kept.save(tmp_path / "08_sweep.json")
    found = open_recording("sweep", "08", [tmp_path])
    assert found == kept
    assert isinstance(found, Measured)
    assert found["ms"] == {"1": 2.5}
    assert found.origin == "Recorded on 2 CPU cores, 2026-11-22, by `x`."


def test_measured_numbers_that_are_not_there_are_named() -> None:
    with pytest.raises(TraceError, match=r"has no 's'; it has \['ms'\]"):
        Measured("x", META, {"ms": 1})["s"]


@pytest.mark.parametrize("content", ['"version": 2', '"version": 1', '"name": "x"'])
def test_damaged_measurements_are_refused(tmp_path: Path, content: str) -> None:
    text = f'{{"schema": "labkit.measured", {content}}}'
    (tmp_path / "x.json").write_text(text, encoding="utf-8")
    with pytest.raises(TraceError, match="damaged measurements"):
        open_recording("x", "08", [tmp_path])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_replay_is_read_as_the_client_reads_it(case: Case) -> None:
    arrivals = tuple(Arrival(0.5, frame.encode()) for frame in case.frames)
    replay = Recording(case.name, META, {Dialect(case.dialect): arrivals})
    assert plain(replay.chunks(case.dialect)) == case.chunks
    assert replay.text(case.dialect) == case.text
