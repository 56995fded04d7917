"""The kernels are compiled once, found again, and done without where they must be."""

from __future__ import annotations

import logging
import shutil

import pytest

from labkit.native import library
from labkit.native.kernels import Kernels
from labkit.native.library import open_library

QUICK = ("-O1", "-march=native", "-shared", "-fPIC")  # 3 s; for any processor 15


def made(cache) -> list[str]:
    return sorted(path.name for path in cache.iterdir())


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A cache that the first opening has compiled into."""
    folder = tmp_path_factory.mktemp("built")
    assert open_library(folder) is not None
    return folder


def test_the_second_opening_compiles_nothing(built):
    (name,) = made(built)
    before = (built / name).stat().st_mtime_ns
    assert open_library(built) is not None
    assert (built / name).stat().st_mtime_ns == before


def test_other_flags_make_another_library(tmp_path, built):
    folder = shutil.copytree(built, tmp_path / "copy")
    open_library(folder, QUICK)
    assert len(made(folder)) == 2


def test_without_a_compiler_there_are_no_kernels(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert open_library(tmp_path) is None


def test_a_compiler_that_fails_leaves_nothing_and_says_so(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        assert open_library(tmp_path, ("-O3", "-no-such-flag")) is None
    assert made(tmp_path) == []
    assert "no-such-flag" in caplog.text


def test_a_damaged_library_is_not_opened(tmp_path, built, caplog):
    (name,) = made(built)
    (tmp_path / name).write_bytes(b"not a library")
    assert open_library(tmp_path) is None
    assert "cannot be opened" in caplog.text


def test_no_processor_file_is_no_obstacle(monkeypatch):
    monkeypatch.setattr(library.Path, "read_text", _refuse)
    assert library._processor()


def _refuse(*_args: object) -> str:
    raise FileNotFoundError("no /proc here")


@pytest.mark.parametrize("name", ["packed_bytes", "pack", "forward"])
def test_the_library_has_what_python_calls(built, name):
    opened = open_library(built)
    assert opened is not None
    assert hasattr(opened, name)


def test_structs_of_another_size_are_not_computed_with(tmp_path):
    packed = open_library(tmp_path, (*QUICK, "-fpack-struct=1"))
    assert packed is not None
    with pytest.raises(AssertionError, match=r"bytes in C, of .* in Python"):
        Kernels(packed)
