"""One door for both kinds of files; the real weights compute as transformers does."""

from __future__ import annotations

import psutil
import pytest
import torch

from labkit.errors import ConfigError, WeightsError
from labkit.model.weights import load_model
from labkit.text.tokenizer import Tokenizer
from tests.support.families import write_family
from tests.support.gguf_writer import write_gguf
from tests.support.oracle import transformers_model
from tests.support.prompts import greedy_prompts
from tests.support.steps import forward_all, shuffled_slots
from tests.support.tiny import random_tensors, tiny_config, tiny_model


def test_a_gguf_computes_what_its_tensors_compute(tmp_path):
    path = tmp_path / "tiny.gguf"
    write_gguf(path, tiny_config(), random_tensors(tiny_config(), 0))
    loaded = load_model(path, device="cpu", cache=tmp_path / "cache")
    ids, slots = list(range(40, 60)), shuffled_slots(32)
    got = forward_all(loaded.decoder, ids, 10, slots)
    torch.testing.assert_close(got, forward_all(tiny_model().decoder, ids, 10, slots))
    assert loaded.name == "tiny"


def test_a_directory_is_called_by_its_name_and_may_be_narrowed(tmp_path):
    write_family("smollm2", tmp_path / "my-model")
    loaded = load_model(tmp_path / "my-model", device="cpu", dtype=torch.bfloat16)
    assert loaded.name == "my-model"
    assert loaded.decoder.dtype is torch.bfloat16
    assert loaded.decoder.weights.head is loaded.decoder.weights.embedding


def test_a_path_with_nothing_there_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(WeightsError, match=r"nothing\.gguf.*labkit\.model\.fetch"):
        load_model(tmp_path / "nothing.gguf")


def test_an_unknown_device_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(ConfigError, match="gpu"):
        load_model(tmp_path / "nothing.gguf", device="gpu")


@pytest.mark.parametrize(
    ("name", "share"),
    [
        ("smollm2_float32", 1e-4),  # thirty layers of float32 sums
        ("smollm2", 1.5e-3),  # tokens of 16 bits
    ],
)
def test_the_real_model_gives_the_logits_that_transformers_gives(request, name, share):
    model = request.getfixturevalue(name)
    encode = Tokenizer.from_spec(model.tokenizer).encode
    ids = greedy_prompts(encode)[3]
    with torch.inference_mode():
        wanted = transformers_model(model)(torch.tensor([ids])).logits[0]
    got = forward_all(model.decoder, ids, 16, shuffled_slots(32))
    spread = float(wanted.std())  # about 6
    torch.testing.assert_close(got, wanted[15:], atol=share * spread, rtol=0)


def test_the_real_model_is_what_its_card_says(smollm2):
    config = smollm2.config
    assert (config.num_layers, config.width, config.vocab_size) == (30, 576, 49152)
    assert (config.num_heads, config.num_kv_heads, config.head_dim) == (9, 3, 64)
    assert (config.rope_theta, config.norm_eps) == (100_000.0, 1e-5)
    assert config.is_tied
    assert smollm2.tokenizer.eos_ids == (2, 0)
    assert smollm2.name == "SmolLM2-135M-Instruct.Q4_1"


def test_loading_again_maps_the_same_pages_instead_of_reading_them(smollm2, weights):
    before = psutil.Process().memory_info().rss
    again = load_model(weights, device="cpu")
    grown = psutil.Process().memory_info().rss - before
    assert again.config == smollm2.config
    assert grown < 150e6  # bytes; the weights are 538 MB, the vocabulary a tenth
