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
    "tokenizer.ggml.tokens": ["<e>", "a", "b", "ab"],
    "tokenizer.ggml.token_type": [3, 1, 1, 1],
    "tokenizer.ggml.merges": ["a b"],
}
# What changes the numbers, and values at which it is off. SHAPE has 8 heads of 8.
SETTINGS = {
    "attention.causal": (False, [True]),
    "attention.clamp_kqv": (8.0, [0.0]),
    "attention.max_alibi_bias": (8.0, [0.0]),
    "attention.scale": (0.02, [0.0, 0.35355338]),
    "attention.sliding_window": (1024, [0, 4096, 131_072]),
    "attention.sliding_window_pattern": ([True, False], [[False, False]]),
    "attention.value_length": (4, [8]),
    "attn_logit_softcapping": (50.0, [0.0]),
    "embedding_scale": (12.0, [0.0, 1.0]),
    "expert_count": (8, [0]),
    "final_logit_softcapping": (30.0, [0.0]),
    "logit_scale": (0.0625, [0.0, 1.0]),
    "residual_scale": (0.22, [0.0, 1.0]),
    "rope.dimension_count": (4, [8]),
    "rope.dimension_sections": ([16, 24, 24, 0], [[0, 0, 0, 0]]),
    "rope.freq_base_swa": (10_000.0, []),
    "rope.scale_linear": (4.0, [0.0, 1.0]),
    "rope.scaling.attn_factor": (0.5, [0.0, 1.0]),
    "rope.scaling.factor": (4.0, [0.0, 1.0]),
    "rope.scaling.type": ("linear", ["none"]),
    "rope.scaling.yarn_log_multiplier": (0.1, [0.0]),
    "swiglu_clamp_exp": ([7.0, 7.0], [[0.0, 0.0]]),
    "tensor_data_layout": ("transposed", ["Meta AI original pth"]),
    "use_parallel_residual": (True, [False]),
    "what.nobody.knows.yet": (1, [0]),
}
OFF = [(name, value) for name, (_, values) in SETTINGS.items() for value in values]
HARMLESS = {"vocab_size": 9, "pooling_type": 3, "rope.scaling.finetuned": True}


def test_what_is_not_written_takes_the_formats_defaults():
    config = config_of(SHAPE, {"output.weight": (2, 64)})
    assert (config.num_kv_heads, config.head_dim) == (8, 8)
    assert config.rope_theta == 10_000.0
    marks = (config.is_tied, config.has_qkv_bias, config.has_qk_norm)
    assert marks == (False, False, False)


def test_float32_noise_is_rounded_to_the_number_meant():
    assert config_of(SHAPE, {}).norm_eps == 1e-6


@pytest.mark.parametrize("key", SHAPE)
def test_a_missing_field_is_named(key):
    fields = {name: value for name, value in SHAPE.items() if name != key}
    with pytest.raises(WeightsError, match=key):
        config_of(fields, {})


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_that_changes_the_numbers_is_refused_by_name(name):
    value, _ = SETTINGS[name]
    with pytest.raises(WeightsError, match=rf"qwen2\.{name} is "):
        config_of(SHAPE | {f"qwen2.{name}": value}, {})


@pytest.mark.parametrize(("name", "value"), [*OFF, *HARMLESS.items()])
def test_a_setting_that_is_off_or_changes_nothing_is_accepted(name, value):
    assert config_of(SHAPE | {f"qwen2.{name}": value}, {}) == config_of(SHAPE, {})


def test_settings_of_another_family_are_none_of_this_model():
    assert config_of(SHAPE | {"clip.logit_scale": 9.0}, {}) == config_of(SHAPE, {})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("qwen2.attention.head_count_kv", [8, 4, 8]),
        ("qwen2.feed_forward_length", 0),
        ("qwen2.block_count", "3"),
        ("qwen2.rope.freq_base", 0.0),
        ("qwen2.attention.layer_norm_rms_epsilon", float("nan")),
    ],
)
def test_a_size_that_cannot_be_is_refused_by_name(key, value):
    with pytest.raises(WeightsError, match=key):
        config_of(SHAPE | {key: value}, {})


def test_heads_that_do_not_divide_are_refused():
    with pytest.raises(WeightsError, match="num_kv_heads=3"):
        config_of(SHAPE | {"qwen2.attention.head_count_kv": 3}, {})


def test_a_size_may_be_listed_for_each_layer_if_all_are_the_same():
    assert config_of(SHAPE | {"qwen2.attention.head_count_kv": [4] * 3}, {}) == (
        config_of(SHAPE | {"qwen2.attention.head_count_kv": 4}, {})
    )


def test_every_kind_of_end_is_an_end_once():
    ends = {"eos_token_id": 0, "eot_token_id": 1, "eom_token_id": 0}
    fields = WORDS | {f"tokenizer.ggml.{name}": id for name, id in ends.items()}
    assert tokenizer_of(fields).eos_ids == (0, 1)
    assert tokenizer_of(WORDS).eos_ids == ()


def test_another_kind_of_tokenizer_is_refused():
    with pytest.raises(WeightsError, match=r"'llama'.*byte-level BPE"):
        tokenizer_of(WORDS | {"tokenizer.ggml.model": "llama"})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"token_type": [3, 1]}, "2 entries for 4 tokens"),
        ({"merges": ["a b", "a ab"]}, "merge 1, 'a ab', needs the token 'aab'"),
        ({"merges": ["ab"]}, "needs the token ''"),
        ({"merges": ["a c"]}, "needs the token 'c'"),
        ({"eos_token_id": 4}, "eos_token_id is 4 and the vocabulary has 4"),
        ({"bos_token_id": 99}, "bos_token_id is 99"),
        ({"add_space_prefix": True}, "add_space_prefix"),
    ],
)
def test_a_vocabulary_that_does_not_fit_together_is_refused(change, named):
    fields = {f"tokenizer.ggml.{key}": value for key, value in change.items()}
    with pytest.raises(WeightsError, match=named):
        tokenizer_of(WORDS | fields)


def test_a_template_that_is_no_text_is_refused():
    with pytest.raises(WeightsError, match="chat_template"):
        tokenizer_of(WORDS | {"tokenizer.chat_template": ["{{ x }}"]})


@pytest.mark.parametrize("none", [-1, 0xFFFFFFFF])
def test_an_id_of_minus_one_says_that_there_is_none(none):
    fields = {"tokenizer.ggml.bos_token_id": none, "tokenizer.ggml.eos_token_id": none}
    spec = tokenizer_of(WORDS | fields)
    assert (spec.bos_id, spec.eos_ids) == (None, ())


def test_the_list_of_token_types_may_be_left_out():
    fields = {key: value for key, value in WORDS.items() if "token_type" not in key}
    named = fields | {"tokenizer.ggml.eos_token_id": 0}
    assert tokenizer_of(fields).token_types == (1, 1, 1, 1)
    assert tokenizer_of(named).token_types == (3, 1, 1, 1)
