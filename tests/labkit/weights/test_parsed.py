"""A GGUF is parsed once; what is kept is the same model, and damage heals itself."""

from __future__ import annotations

from dataclasses import replace

import gguf
import pytest
import torch
from safetensors.torch import load_file

from labkit.errors import WeightsError
from labkit.weights.files import parsed_path
from labkit.weights.parameters import packed_name
from labkit.weights.parsed import open_parsed
from tests.support.gguf_writer import Packed, write_gguf
from tests.support.tiny import (
    byte_tokenizer_spec,
    packable_config,
    random_tensors,
    tiny_config,
)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "tiny.gguf"
    write_gguf(path, tiny_config(), random_tensors(tiny_config(), 3))
    return path


def test_the_second_opening_reads_what_the_first_one_wrote(source, tmp_path):
    cache = tmp_path / "cache"
    first = open_parsed(source, cache)
    written = parsed_path(source, cache).stat()
    second = open_parsed(source, cache)
    assert parsed_path(source, cache).stat() == written
    assert (first.config, first.tokenizer) == (second.config, second.tokenizer)
    assert first.config == tiny_config()
    assert second.tokenizer == replace(byte_tokenizer_spec(), eos_ids=(2, 0))
    assert second.name == "tiny"


def test_the_kept_file_is_a_plain_safetensors_file_of_the_same_values(source, tmp_path):
    open_parsed(source, tmp_path)
    kept = load_file(parsed_path(source, tmp_path))
    wanted = random_tensors(tiny_config(), 3)
    assert kept.keys() == wanted.keys()
    assert all(torch.equal(kept[name], wanted[name]) for name in wanted)


def test_quantised_blocks_are_kept_beside_their_widened_values(tmp_path):
    config = packable_config()
    write_gguf(tmp_path / "p.gguf", config, Packed(random_tensors(config, 3)))
    kept = open_parsed(tmp_path / "p.gguf", tmp_path).tensors
    name = "model.layers.1.self_attn.q_proj.weight"
    blocks = kept[packed_name(name)].numpy()
    widened = gguf.dequantize(blocks, gguf.GGMLQuantizationType.Q4_1)
    assert torch.equal(torch.from_numpy(widened), kept[name])


@pytest.mark.parametrize("keep", [0, 5, 5000])
def test_a_damaged_kept_file_is_written_again(source, tmp_path, keep):
    open_parsed(source, tmp_path)
    place = parsed_path(source, tmp_path)
    whole = place.read_bytes()
    place.write_bytes(whole[:keep])
    open_parsed(source, tmp_path)
    assert place.read_bytes() == whole


def test_other_weights_of_the_same_name_are_kept_apart(source, tmp_path):
    before = parsed_path(source, tmp_path)
    write_gguf(source, tiny_config(), random_tensors(tiny_config(), 4))
    assert parsed_path(source, tmp_path) != before


def test_a_parse_that_fails_leaves_nothing_behind(source, tmp_path):
    tensors = random_tensors(tiny_config(), 3)
    del tensors["model.norm.weight"]
    write_gguf(source, tiny_config(), tensors)
    cache = tmp_path / "cache"
    with pytest.raises(WeightsError, match=r"output_norm\.weight"):
        open_parsed(source, cache)
    assert list(cache.glob("*")) == []
