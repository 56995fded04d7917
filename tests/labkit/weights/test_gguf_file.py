"""GGUF files, tiny ones of each family and the real one, give back their tensors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from labkit.config import ModelConfig, RopeScaling
from labkit.errors import WeightsError
from labkit.weights.frequencies import inverse_frequencies
from labkit.weights.gguf_file import GGUFFile
from tests.support.gguf_writer import write_gguf
from tests.support.tiny import byte_tokenizer_spec, random_tensors, tiny_config

CPU = torch.device("cpu")
CONFIGS: dict[str, ModelConfig] = {
    "llama": tiny_config(),
    "llama-untied": replace(tiny_config(), is_tied=False),
    "qwen2": replace(tiny_config(), family="qwen2", has_qkv_bias=True),
    "qwen3": replace(tiny_config(), family="qwen3", has_qk_norm=True, head_dim=16),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_config_and_every_tensor_come_back_exactly(name, tmp_path):
    config, path = CONFIGS[name], tmp_path / "tiny.gguf"
    tensors = random_tensors(config, seed=1)
    write_gguf(path, config, tensors)
    file = GGUFFile(path)
    assert file.config == config
    for key, tensor in tensors.items():
        np.testing.assert_array_equal(file.tensor(key), tensor.numpy(), err_msg=key)


def test_the_tokenizer_comes_back_whole(tmp_path):
    path, config = tmp_path / "tiny.gguf", tiny_config()
    write_gguf(path, config, random_tensors(config, 0))
    assert GGUFFile(path).tokenizer == byte_tokenizer_spec()


def scaled_config(factor: float) -> ModelConfig:
    scaling = RopeScaling(factor, 1.0, 4.0, original_max_context=8192)
    return replace(tiny_config(), rope_theta=500_000.0, rope_scaling=scaling)


@pytest.mark.parametrize("factor", [8.0, 32.0])
def test_llama3_rope_scaling_is_recognised_by_its_divisors(factor, tmp_path):
    config, path = scaled_config(factor), tmp_path / "tiny.gguf"
    plain = replace(config, rope_scaling=None)
    divisors = inverse_frequencies(plain, CPU) / inverse_frequencies(config, CPU)
    extra = {"rope_freqs.weight": divisors.numpy()}
    write_gguf(path, plain, random_tensors(plain, 0), extra=extra)
    assert GGUFFile(path).config == config


def test_unknown_rope_divisors_are_refused(tmp_path):
    config, path = tiny_config(), tmp_path / "tiny.gguf"
    extra = {"rope_freqs.weight": np.array([1, 2, 3, 8], dtype=np.float32)}
    write_gguf(path, config, random_tensors(config, 0), extra=extra)
    with pytest.raises(WeightsError, match=r"rope_freqs\.weight"):
        GGUFFile(path)


@pytest.mark.parametrize(
    ("arch", "fields", "named"),
    [
        ("gemma3", {}, "gemma3"),
        ("llama", {"llama.expert_count": 8}, "8 experts"),
        ("llama", {"llama.rope.scaling.type": "yarn"}, "yarn"),
    ],
)
def test_what_labkit_cannot_compute_is_refused_by_name(arch, fields, named, tmp_path):
    config, path = tiny_config(), tmp_path / "odd.gguf"
    write_gguf(path, config, random_tensors(config, 0), arch=arch, fields=fields)
    with pytest.raises(WeightsError, match=named) as caught:
        GGUFFile(path)
    assert str(path) in str(caught.value)


def test_a_missing_tensor_is_named(tmp_path):
    config, path = tiny_config(), tmp_path / "tiny.gguf"
    tensors = random_tensors(config, 0)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    write_gguf(path, config, tensors)
    with pytest.raises(WeightsError, match=r"blk\.1\.ffn_up\.weight"):
        GGUFFile(path).tensor("model.layers.1.mlp.up_proj.weight")


@pytest.mark.parametrize("size", [0, 3, 4000])
def test_a_file_cut_short_is_refused_with_the_remedy(size, tmp_path):
    path, config = tmp_path / "tiny.gguf", tiny_config()
    write_gguf(path, config, random_tensors(config, 0))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(WeightsError, match="fetch it again"):
        GGUFFile(path)
