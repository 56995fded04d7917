"""Hugging Face directories, old and new, whole and in shards; odd ones are refused."""

from __future__ import annotations

import json

import pytest
import torch

from labkit.config import RopeScaling
from labkit.errors import WeightsError
from labkit.model.weights import load_model
from labkit.weights.hf_directory import config_from, read_tensors, read_tokenizer
from tests.support.families import write_family
from tests.support.tiny import CHAT_TEMPLATE

OLD = {  # as transformers 4 wrote it
    "model_type": "llama",
    "vocab_size": 288,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500_000.0,
    "rope_scaling": {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    },
}


def test_reads_configs_written_before_rope_parameters():
    config = config_from(OLD)
    assert config.rope_theta == 500_000.0
    assert config.rope_scaling == RopeScaling(8.0, 1.0, 4.0, 64)
    assert (config.num_kv_heads, config.head_dim, config.is_tied) == (4, 8, False)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"model_type": "mixtral"}, "'mixtral'"),
        ({"model_type": None}, "None"),
        ({"hidden_act": "gelu"}, "hidden_act='gelu'"),
        ({"attention_bias": True}, "attention_bias=True"),
        ({"mlp_bias": True}, "mlp_bias=True"),
        ({"use_sliding_window": True}, "use_sliding_window=True"),
        ({"rope_scaling": {"type": "linear", "factor": 2}}, "'linear'"),
    ],
)
def test_what_labkit_cannot_compute_is_refused_by_name(change, named):
    with pytest.raises(WeightsError, match=named):
        config_from({**OLD, **change})


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
