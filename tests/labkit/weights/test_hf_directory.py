"""Hugging Face directories, old and new, whole and in shards; odd ones are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from labkit.errors import WeightsError
from labkit.model.weights import load_model
from labkit.weights.hf_directory import read_tensors, read_tokenizer
from tests.support.families import write_family
from tests.support.tiny import CHAT_TEMPLATE


def test_shards_give_the_same_tensors_as_one_file(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    write_family("llama", whole)
    write_family("llama", parts, shard_size="20KB")
    assert len(list(parts.glob("*.safetensors"))) > 2
    one, many = read_tensors(whole), read_tensors(parts)
    assert one.keys() == many.keys()
    assert all(torch.equal(one[name], many[name]) for name in one)


def test_a_missing_shard_is_named(tmp_path):
    write_family("llama", tmp_path, shard_size="20KB")
    shard = sorted(tmp_path.glob("*.safetensors"))[1]
    shard.unlink()
    with pytest.raises(WeightsError, match=shard.name):
        load_model(tmp_path, device="cpu")


def test_a_damaged_file_is_refused_with_the_remedy(tmp_path):
    write_family("llama", tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="download it again"):
        load_model(tmp_path, device="cpu")


def test_the_tokenizer_has_ends_and_template_of_the_directory(tmp_path):
    write_family("llama", tmp_path)
    ends = {"eos_token_id": [2, 0]}
    (tmp_path / "generation_config.json").write_text(json.dumps(ends))
    spec = read_tokenizer(tmp_path)
    assert (spec.eos_ids, spec.bos_id) == ((2, 0), 1)
    assert spec.chat_template == CHAT_TEMPLATE
    assert json.loads(spec.json or "")["model"]["type"] == "BPE"


def test_a_template_may_be_a_file_or_one_of_several(tmp_path):
    write_family("llama", tmp_path)
    named = [
        {"name": "tool_use", "template": "T"},
        {"name": "default", "template": "D"},
    ]
    settings = tmp_path / "tokenizer_config.json"
    settings.write_text(json.dumps({"chat_template": named}))
    assert read_tokenizer(tmp_path).chat_template == "D"
    (tmp_path / "chat_template.jinja").write_text("own file")
    assert read_tokenizer(tmp_path).chat_template == "own file"
    (tmp_path / "chat_template.jinja").unlink()
    settings.unlink()
    assert read_tokenizer(tmp_path).chat_template is None


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_directory_without_a_needed_file_is_refused_by_that_name(name, tmp_path):
    write_family("llama", tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(WeightsError, match=f"{name} is missing"):
        load_model(tmp_path, device="cpu")


@pytest.mark.parametrize(
    ("text", "named"), [("{", "not JSON"), ('{"model_type": "llama"}', "has no")]
)
def test_a_config_that_is_no_config_is_refused(text, named, tmp_path):
    write_family("llama", tmp_path)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(WeightsError, match=named):
        load_model(tmp_path, device="cpu")


def test_an_index_without_a_map_is_refused(tmp_path):
    write_family("llama", tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(WeightsError, match=r"index\.json has no weight_map"):
        load_model(tmp_path, device="cpu")


def test_a_whole_file_comes_before_shards_that_were_left_behind(tmp_path):
    write_family("llama", tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": {"a": "b"}}')
    assert load_model(tmp_path, device="cpu").config.width == 32


def save(folder: Path, **change: torch.Tensor | None) -> None:
    """Write the family's tensors again with some added, replaced or left out."""
    path = folder / "model.safetensors"
    tensors = {**load_file(path), **change}
    save_file({name: t for name, t in tensors.items() if t is not None}, path)


NORM, UP = "model.norm.weight", "model.layers.0.mlp.up_proj.weight"
BIAS, SCALE = "model.layers.0.self_attn.o_proj.bias", UP + "_scale"
FREQUENCIES = "model.layers.0.self_attn.rotary_emb.inv_freq"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({UP: torch.ones(48, 32).to(torch.float8_e4m3fn)}, "up_proj.*float8_e4m3fn"),
        ({UP: torch.ones(48, 32, dtype=torch.int8)}, "up_proj.*int8"),
        ({SCALE: torch.ones(1)}, "up_proj.weight_scale"),
        ({BIAS: torch.ones(32)}, "o_proj.bias"),
        ({NORM: torch.ones(31)}, r"norm.*\(31,\).*\(32,\)"),
        ({NORM: None}, "lack model.norm.weight"),
    ],
)
def test_tensors_that_are_not_the_models_weights_are_refused(change, named, tmp_path):
    write_family("llama", tmp_path)
    save(tmp_path, **change)
    with pytest.raises(WeightsError, match=named):
        load_model(tmp_path, device="cpu")


def test_frequencies_that_old_checkpoints_carry_do_not_matter(tmp_path):
    write_family("llama", tmp_path)
    save(tmp_path, **{FREQUENCIES: torch.ones(4)})
    assert load_model(tmp_path, device="cpu").config.width == 32


def test_a_quantisation_beside_the_config_is_refused(tmp_path):
    write_family("llama", tmp_path)
    about = {"quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}}
    (tmp_path / "hf_quant_config.json").write_text(json.dumps(about))
    with pytest.raises(WeightsError, match="method 'FP8'"):
        load_model(tmp_path, device="cpu")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", "[]"),
        ("tokenizer.json", '{"added_tokens": [1]}'),
        ("tokenizer.json", "[]"),
        ("tokenizer.json", '{"model": {"vocab": {"a": 0, "b": 0}}}'),
        ("tokenizer_config.json", '{"chat_template": 5}'),
    ],
)
def test_json_of_another_shape_is_refused_with_the_files_name(name, text, tmp_path):
    write_family("llama", tmp_path)
    (tmp_path / name).write_text(text)
    with pytest.raises(WeightsError, match=name.split(".json", maxsplit=1)[0]):
        load_model(tmp_path, device="cpu")
