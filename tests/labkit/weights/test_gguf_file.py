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
from tests.support.gguf_writer import Form, write_gguf
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
    wanted = replace(byte_tokenizer_spec(), eos_ids=(2, 0))  # <|endoftext|> as well
    assert GGUFFile(path).tokenizer == wanted


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
        ("llama", {"llama.expert_count": 8}, "expert_count is 8"),
        ("llama", {"llama.rope.scaling.type": "yarn"}, "yarn"),
        ("llama", {"llama.rope.scale_linear": 4.0}, "scale_linear"),
        ("llama", {"general.type": "adapter"}, "'adapter'"),
    ],
)
def test_what_labkit_cannot_compute_is_refused_by_name(arch, fields, named, tmp_path):
    config, path = tiny_config(), tmp_path / "odd.gguf"
    write_gguf(
        path, config, random_tensors(config, 0), form=Form(arch=arch), fields=fields
    )
    with pytest.raises(WeightsError, match=named) as caught:
        GGUFFile(path)
    assert str(path) in str(caught.value)


def test_a_missing_tensor_is_named(tmp_path):
    config, path = tiny_config(), tmp_path / "tiny.gguf"
    tensors = random_tensors(config, 0)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    write_gguf(path, config, tensors)
    with pytest.raises(WeightsError, match=r"blk\.1\.ffn_up\.weight"):
        GGUFFile(path)


@pytest.mark.parametrize(
    ("name", "size"), [("attn_output.bias", 32), ("attn_q.scale", 1), ("odd", 3)]
)
def test_a_tensor_that_the_model_would_not_use_is_refused(name, size, tmp_path):
    config, path = tiny_config(), tmp_path / "tiny.gguf"
    extra = {f"blk.0.{name}": np.ones(size, dtype=np.float32)}
    write_gguf(path, config, random_tensors(config, 0), extra=extra)
    with pytest.raises(WeightsError, match=rf"tiny\.gguf: tensor blk\.0\.{name}"):
        GGUFFile(path)


@pytest.mark.parametrize(
    "name", ["model.norm.weight", "model.layers.1.mlp.up_proj.weight"]
)
def test_a_tensor_of_another_shape_is_named_with_both_shapes(name, tmp_path):
    config, path = tiny_config(), tmp_path / "tiny.gguf"
    tensors = random_tensors(config, 0)
    tensors[name] = tensors[name][:-1].contiguous()
    write_gguf(path, config, tensors)
    is_norm = name.endswith("norm.weight")
    shapes = r"\(31,\).*\(32,\)" if is_norm else r"\(47, 32\).*\(48, 32\)"
    with pytest.raises(WeightsError, match=shapes):
        GGUFFile(path)


def test_an_embedding_may_have_more_rows_than_there_are_tokens(tmp_path):
    padded, path = tiny_config(vocab_size=320), tmp_path / "tiny.gguf"
    tensors = random_tensors(padded, 0)
    write_gguf(path, padded, tensors, form=Form(spec=byte_tokenizer_spec(288)))
    file = GGUFFile(path)
    assert (file.config.vocab_size, len(file.tokenizer.tokens)) == (320, 288)
    name = "model.embed_tokens.weight"
    np.testing.assert_array_equal(file.tensor(name), tensors[name].numpy())


def test_an_embedding_with_fewer_rows_than_tokens_is_refused(tmp_path):
    config, path = tiny_config(vocab_size=280), tmp_path / "tiny.gguf"
    spec = byte_tokenizer_spec(288)
    write_gguf(path, config, random_tensors(config, 0), form=Form(spec=spec))
    with pytest.raises(WeightsError, match="280 rows for 288 tokens"):
        GGUFFile(path)


def test_more_layers_than_a_file_can_hold_are_refused_at_once(tmp_path):
    config, path = tiny_config(), tmp_path / "tiny.gguf"
    fields = {"llama.block_count": 4_000_000_000}
    write_gguf(path, config, random_tensors(config, 0), fields=fields)
    with pytest.raises(WeightsError, match="4000000000 layers"):
        GGUFFile(path)


@pytest.mark.parametrize("size", [0, 3, 4000])
def test_a_file_cut_short_is_refused_with_the_remedy(size, tmp_path):
    path, config = tmp_path / "tiny.gguf", tiny_config()
    write_gguf(path, config, random_tensors(config, 0))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(WeightsError, match="fetch it again"):
        GGUFFile(path)
