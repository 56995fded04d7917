"""Metadata alone decides config and tokenizer; gaps are named."""

from __future__ import annotations

import pytest

from labkit.errors import WeightsError
from labkit.weights.gguf_meta import config_of, tokenizer_of

SHAPE = {
    "general.architecture": "qwen2",
    "qwen2.block_count": 3,
    "qwen2.context_length": 4096,
    "qwen2.embedding_length": 64,
    "qwen2.feed_forward_length": 96,
    "qwen2.attention.head_count": 8,
    "qwen2.attention.layer_norm_rms_epsilon": 9.999999974752427e-07,
    "tokenizer.ggml.tokens": ["a", "b"],
}
WORDS = {
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.tokens": ["<e>", "a"],
    "tokenizer.ggml.token_type": [3, 1],
    "tokenizer.ggml.merges": [],
}


def test_what_is_not_written_takes_the_formats_defaults():
    config = config_of(SHAPE, ["output.weight"])
    assert (config.num_kv_heads, config.head_dim) == (8, 8)
    assert config.rope_theta == 10_000.0
    marks = (config.is_tied, config.has_qkv_bias, config.has_qk_norm)
    assert marks == (False, False, False)


def test_float32_noise_is_rounded_to_the_number_meant():
    assert config_of(SHAPE, []).norm_eps == 1e-6


@pytest.mark.parametrize("key", SHAPE)
def test_a_missing_field_is_named(key):
    fields = {name: value for name, value in SHAPE.items() if name != key}
    with pytest.raises(WeightsError, match=key):
        config_of(fields, [])


def test_every_kind_of_end_is_an_end_once():
    ends = {"eos_token_id": 0, "eot_token_id": 1, "eom_token_id": 0}
    fields = WORDS | {f"tokenizer.ggml.{name}": id for name, id in ends.items()}
    assert tokenizer_of(fields).eos_ids == (0, 1)
    assert tokenizer_of(WORDS).eos_ids == ()


def test_another_kind_of_tokenizer_is_refused():
    with pytest.raises(WeightsError, match=r"'llama'.*byte-level BPE"):
        tokenizer_of(WORDS | {"tokenizer.ggml.model": "llama"})
