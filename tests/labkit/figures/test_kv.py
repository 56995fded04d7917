"""The sums of the cache: every number of the book's table, from the shapes alone."""

from __future__ import annotations

import pytest

from labkit.book.cards import read_cards
from labkit.config import ModelConfig
from labkit.figures.kv import GPU, KVLoad, ModelShape, kv_bars, kv_sums

CARDS = read_cards()
H100 = CARDS.gpus["H100 SXM"]
TABLE = [  # model, bytes a token in bf16, as MHA, tokens at which cache = weights
    ("SmolLM2-135M", 23_040, 69_120, 11_677),
    ("Qwen2.5-7B", 57_344, 401_408, 265_612),
    ("Mistral-7B-v0.1", 131_072, 524_288, 110_500),
    ("Llama-2-7B", 524_288, 524_288, 25_705),
    ("Llama-3-8B", 131_072, 524_288, 122_532),
    ("Llama-3-70B", 327_680, 2_621_440, 430_626),
    ("Llama-3.1-405B", 516_096, 8_257_536, 1_572_783),
    ("OPT-13B", 819_200, 819_200, None),
    ("DeepSeek-V3", 70_272, 4_997_120, None),
]


@pytest.mark.parametrize(("name", "token", "mha", "even"), TABLE)
def test_shapes_give_the_table(name, token, mha, even) -> None:
    sums = kv_sums(CARDS.models[name], H100, KVLoad())
    assert (sums.token, sums.token_mha) == (token, mha)
    assert even is None or abs(sums.even_context - even) <= 1


@pytest.mark.parametrize(
    ("gpu", "fits"), [("A100-80G SXM", 52), ("H100 SXM", 52), ("H200 SXM", 103)]
)
def test_sequences_that_fit_beside_the_weights(gpu, fits) -> None:
    sums = kv_sums(CARDS.models["Llama-3-8B"], CARDS.gpus[gpu], KVLoad())
    assert sums.max_sequences == fits


def test_ridge_is_arithmetic_over_bandwidth() -> None:
    ridges = [round(gpu.ridge) for gpu in CARDS.gpus.values()]
    assert ridges == [153, 295, 206]


def test_formula_is_the_model_config_s() -> None:
    config = ModelConfig("llama", 9, 576, 30, 9, 3, 64, 1536, 1e4, 1e-5, 8192)
    shape = CARDS.models["SmolLM2-135M"]
    for bits in (16, 32):
        sums = kv_sums(shape, H100, KVLoad(element_bits=bits))
        assert sums.token == config.kv_bytes_per_token(bits // 8)


def test_small_numbers_and_many_sequences_scale() -> None:
    shape = CARDS.models["Llama-3-70B"]
    sums = kv_sums(shape, H100, KVLoad(131_072, 4, 8, 8))
    assert sums.token == 163_840
    assert sums.batch == 4 * sums.sequence == 4 * 131_072 * 163_840
    assert sums.usable == 8 * 72 * 10**9


def test_weights_that_do_not_fit_leave_no_room() -> None:
    sums = kv_sums(CARDS.models["Llama-3-70B"], H100, KVLoad())
    assert sums.max_sequences == 0
    drawing = kv_bars(CARDS.models["Llama-3-70B"], H100, KVLoad())
    assert drawing.alt.endswith("GiB: the weights alone do not fit.")


@pytest.mark.parametrize(("batch", "said"), [(52, "fits"), (53, "does not fit")])
def test_words_say_the_gpus_the_weights_and_whether_the_batch_fits(batch, said) -> None:
    drawing = kv_bars(CARDS.models["Llama-3-8B"], H100, KVLoad(batch=batch))
    assert "90 % of H100 SXM is 67.1 GiB, weights take 15.0 GiB: 52" in drawing.alt
    assert drawing.alt.endswith(f"the cache of {batch} sequences {said}.")
    two = kv_bars(CARDS.models["Llama-3-8B"], H100, KVLoad(num_gpus=2))
    assert "90 % of 2 x H100 SXM is" in two.alt


def test_large_sizes_have_separators_and_no_exponent() -> None:
    shape = CARDS.models["Llama-3-70B"]
    drawing = kv_bars(shape, H100, KVLoad(context=2**20, batch=1024))
    assert "327,680.0 GiB of cache for 1,024 sequences" in drawing.title


def test_bars_name_the_finding_and_stand_in_order() -> None:
    shape, gpu = ModelShape("m", 2, 4, 2, 8, 10**6), GPU("g", 1, 1.0, 1.0)
    drawing = kv_bars(shape, gpu, KVLoad(context=1024))
    assert drawing.title == "m: 0.000 GiB of cache for a sequence of 1,024 tokens"
    assert drawing.labels[2:4] == ("cache as built (GQA)", "cache with MHA")
