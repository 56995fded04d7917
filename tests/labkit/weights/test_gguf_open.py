"""A split GGUF is read whole from any of its parts; what is no model is refused."""

from __future__ import annotations

import contextlib
import random
import shutil

import gguf
import pytest
import torch

from labkit.errors import WeightsError
from labkit.weights.files import parsed_path
from labkit.weights.gguf_open import open_gguf
from labkit.weights.parsed import open_parsed
from tests.support.gguf_writer import Form, write_gguf
from tests.support.tiny import random_tensors, tiny_config

CONFIG = tiny_config()


@pytest.fixture
def parts(tmp_path):
    """The parts of one model's file, in order."""
    whole = tmp_path / "tiny.gguf"
    write_gguf(whole, CONFIG, random_tensors(CONFIG, 3), form=Form(tensors_a_part=8))
    found = sorted(tmp_path.glob("tiny-*.gguf"))
    assert [part.name[-19:] for part in found] == [
        f"0000{number}-of-00003.gguf" for number in (1, 2, 3)
    ]
    return found


@pytest.mark.parametrize("number", [0, 1, 2])
def test_any_part_gives_the_whole_model(parts, number, tmp_path):
    model = open_parsed(parts[number], tmp_path)
    wanted = random_tensors(CONFIG, 3)
    assert model.name == "tiny"
    assert all(torch.equal(model.tensors[name], wanted[name]) for name in wanted)


def test_all_parts_of_a_file_share_one_parsed_form(parts, tmp_path):
    assert len({parsed_path(part, tmp_path) for part in parts}) == 1


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_part_is_named(parts, missing, tmp_path):
    parts[missing].unlink()
    given = parts[(missing + 1) % 3]
    about = f"part {(missing + 1) % 3 + 1} of 3, and {parts[missing].name} is missing"
    with pytest.raises(WeightsError, match=about):
        open_parsed(given, tmp_path)
    assert not list(tmp_path.glob("*.safetensors"))


def test_a_part_under_another_name_says_what_it_is(parts, tmp_path):
    other = parts[1].rename(tmp_path / "model.gguf")
    with pytest.raises(WeightsError, match=r"part 2 of 3.*names they were published"):
        open_gguf(other)


def test_parts_that_were_mixed_up_are_refused(parts):
    shutil.copy(parts[1], parts[2])
    with pytest.raises(
        WeightsError, match=r"00003-of-00003.gguf says that it is part 2"
    ):
        open_gguf(parts[0])


def test_a_file_that_only_has_a_parts_name_is_a_file(tmp_path):
    path = tmp_path / "mine-00001-of-00002.gguf"
    write_gguf(path, CONFIG, random_tensors(CONFIG, 3))
    assert open_parsed(path, tmp_path).config == CONFIG


def test_a_file_of_another_byte_order_is_refused(tmp_path):
    path = tmp_path / "big.gguf"
    tensors = random_tensors(CONFIG, 3)
    write_gguf(path, CONFIG, tensors, form=Form(endianess=gguf.GGUFEndian.BIG))
    with pytest.raises(WeightsError, match="byte order"):
        open_gguf(path)


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_header_is_refused_or_read_but_never_breaks(seed, tmp_path):
    path, dice = tmp_path / "tiny.gguf", random.Random(seed)
    write_gguf(path, CONFIG, random_tensors(CONFIG, 3))
    data = bytearray(path.read_bytes())
    for _ in range(3):
        data[dice.randrange(1500)] = dice.randrange(256)
    path.write_bytes(data)
    with contextlib.suppress(WeightsError):
        open_parsed(path, tmp_path)
