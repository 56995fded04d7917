"""A config.json is honoured or refused by name, never half read."""

from __future__ import annotations

import pytest

from labkit.config import RopeScaling
from labkit.errors import WeightsError
from labkit.weights.hf_config import config_from

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
PLAIN = {key: value for key, value in OLD.items() if key != "rope_scaling"}
QWEN = {**PLAIN, "model_type": "qwen2"}


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
        ({"sliding_window": 64}, "sliding_window=64"),
        ({"layer_types": ["full_attention", "sliding_attention"]}, "'sliding_att"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor=0.5"),
        ({"rope_interleaved": True}, "rope_interleaved"),
        ({"logits_scaling": 8.0}, "logits_scaling"),
        ({"residual_multiplier": 0.22}, "residual_multiplier"),
        ({"auto_map": {"AutoModelForCausalLM": "modeling.My"}}, "auto_map"),
        ({"quantization_config": {"quant_method": "fp8"}}, "method 'fp8'"),
        ({"quantization_config": {"bits": 4}}, "method 'unnamed'"),
        ({"compression_config": {"quant_method": "sparse"}}, "compression_config"),
        ({"rope_parameters": {"full_attention": {"factor": 2}}}, "full_attention"),
        ({"rope_scaling": "linear"}, "rope_scaling='linear'"),
        ({"hidden_size": "32"}, "hidden_size='32'"),
        ({"num_hidden_layers": 0}, "num_hidden_layers=0"),
        ({"num_key_value_heads": 3}, "num_kv_heads=3"),
        ({"rms_norm_eps": True}, "rms_norm_eps=True"),
        ({"rope_theta": -1.0}, "rope_theta"),
        ({"vocab_size": None}, "no 'vocab_size'"),
    ],
)
def test_what_labkit_cannot_compute_is_refused_by_name(change, named):
    with pytest.raises(WeightsError, match=named):
        config_from({**PLAIN, **change})


@pytest.mark.parametrize(
    ("rope", "named"),
    [
        ({"type": "linear", "factor": 2}, "'linear'"),
        ({"rope_type": "default", "type": "linear", "factor": 2}, "'linear'"),
        ({"rope_type": "yarn", "factor": 4.0}, "'yarn'"),
        ({"factor": 4.0}, "factor=4.0"),
        ({"rope_type": "default", "mrope_section": [16, 24, 24]}, "mrope_section"),
        ({"rope_type": "default", "partial_rotary_factor": 0.5}, "partial_rotary"),
        ({"rope_type": "llama3", "factor": 8.0}, "low_freq_factor"),
    ],
)
@pytest.mark.parametrize("place", ["rope_scaling", "rope_parameters"])
def test_rope_scaling_is_refused_however_it_is_spelt(rope, named, place):
    with pytest.raises(WeightsError, match=named):
        config_from({**PLAIN, place: rope})


@pytest.mark.parametrize(
    "change",
    [
        {"sliding_window": None},
        {"sliding_window": 4096},
        {"quantization_config": None},
        {"layer_types": ["full_attention", "full_attention"]},
        {"rope_scaling": None},
        {"rope_parameters": {"rope_type": "default"}},
        {"partial_rotary_factor": 1.0},
        {"num_key_value_heads": None, "head_dim": None},
        {"transformers_version": "5.0", "torch_dtype": "bfloat16", "unsloth": True},
    ],
)
def test_what_is_off_or_changes_nothing_is_accepted(change):
    assert config_from({**PLAIN, **change}) == config_from(PLAIN)


def test_a_window_that_is_switched_off_does_not_matter():
    config = config_from({**QWEN, "sliding_window": 64, "use_sliding_window": False})
    assert config == config_from(QWEN)


def test_qwen3_has_heads_of_128_where_it_does_not_say():
    assert config_from({**PLAIN, "model_type": "qwen3"}).head_dim == 128
