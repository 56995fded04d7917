"""A file is whole or absent, whatever interrupts its writer."""

from __future__ import annotations

import errno
import hashlib
import os

import pytest

from labkit.errors import WeightsError
from labkit.weights.files import STALE_AFTER_S, replacing, require_room, sha256_of


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_block_that_ends_well_puts_the_file_in_place(tmp_path):
    with replacing(tmp_path / "new" / "w.bin") as file:
        file.write(b"whole")
        assert not (tmp_path / "new" / "w.bin").exists()
    assert (tmp_path / "new" / "w.bin").read_bytes() == b"whole"
    assert names(tmp_path / "new") == ["w.bin"]


@pytest.mark.parametrize("trouble", [ValueError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(trouble, tmp_path):
    (tmp_path / "w.bin").write_bytes(b"old")

    def fail():
        with replacing(tmp_path / "w.bin") as file:
            file.write(b"half")
            raise trouble

    with pytest.raises(trouble):
        fail()
    assert (tmp_path / "w.bin").read_bytes() == b"old"
    assert names(tmp_path) == ["w.bin"]


def test_two_writers_at_once_do_not_mix(tmp_path):
    place = tmp_path / "w.bin"
    with replacing(place) as slow:
        slow.write(b"slow ")
        with replacing(place) as fast:
            fast.write(b"fast")
        assert place.read_bytes() == b"fast"
        slow.write(b"one")
    assert place.read_bytes() == b"slow one"
    assert names(tmp_path) == ["w.bin"]


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path):
    def fill():
        with replacing(tmp_path / "w.bin") as file:
            file.write(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(WeightsError, match="disk is full; free some space"):
        fill()
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(WeightsError, match="choose a cache folder you may write to"),
        replacing(tmp_path / "file" / "w.bin"),
    ):
        pass


def test_what_a_killed_run_left_is_removed_and_a_running_ones_is_not(tmp_path):
    left, running = tmp_path / ".w.bin.old.part", tmp_path / ".w.bin.new.part"
    left.write_bytes(b"x")
    running.write_bytes(b"x")
    before = running.stat().st_mtime - STALE_AFTER_S - 60
    os.utime(left, (before, before))
    with replacing(tmp_path / "w.bin") as file:
        file.write(b"whole")
    assert names(tmp_path) == [running.name, "w.bin"]


def test_too_little_room_names_both_sizes(tmp_path):
    with pytest.raises(WeightsError, match=r"needs 1,000,000,000,000 MB .* MB free"):
        require_room(tmp_path, 10**18)


def test_enough_room_makes_the_folder(tmp_path):
    require_room(tmp_path / "a" / "b", 1)
    assert (tmp_path / "a" / "b").is_dir()


def test_the_digest_is_sha256(tmp_path):
    (tmp_path / "w.bin").write_bytes(b"abc")
    assert sha256_of(tmp_path / "w.bin") == hashlib.sha256(b"abc").hexdigest()
