"""The sums of the cache: every number of the book's table, from the shapes alone."""

from __future__ import annotations

import pytest

from labkit.book.cards import read_cards
from labkit.config import ModelConfig
from labkit.figures.kv import GPU, KVLoad, ModelShape, beyond, kv_memory, kv_sums, size
from labkit.figures.stills import svg

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
    drawing = kv_memory(CARDS.models["Llama-3-70B"], H100, KVLoad())
    assert drawing.title == "Llama-3-70B: the weights alone do not fit on H100 SXM"
    assert drawing.rest.startswith("too much by ")


@pytest.mark.parametrize(("batch", "said"), [(52, "fits"), (53, "does not fit")])
def test_words_say_the_gpus_the_weights_and_whether_the_batch_fits(batch, said) -> None:
    drawing = kv_memory(CARDS.models["Llama-3-8B"], H100, KVLoad(batch=batch))
    assert "90 % of H100 SXM: 67.1 GiB, weights take 15.0 GiB: 52" in drawing.alt
    cache = f"the cache of {batch} sequences, {batch}.0 GiB"
    assert drawing.alt.endswith(f"{cache}, {said}.")
    two = kv_memory(CARDS.models["Llama-3-8B"], H100, KVLoad(num_gpus=2))
    assert two.room.startswith("90 % of 2 x H100 SXM")


def test_weights_and_cache_are_stacked_in_the_memory_of_the_gpu() -> None:
    drawing = kv_memory(CARDS.models["Llama-3-8B"], H100, KVLoad(batch=4))
    weights, cache = drawing.parts
    assert (weights.num_bytes, cache.num_bytes) == (16_060_522_496, 4 * 2**30)
    assert (cache.name, cache.pieces) == ("cache of 4 sequences", 4)
    assert drawing.scale == drawing.num_bytes
    assert drawing.rest == f"free: {size(72 * 10**9 - 16_060_522_496 - 4 * 2**30)}"


def test_what_does_not_fit_goes_beyond_the_end_of_the_memory() -> None:
    drawing = kv_memory(CARDS.models["Llama-3-8B"], H100, KVLoad(batch=64))
    assert drawing.title.endswith("64 sequences of 8,192 tokens do not fit; 52 would")
    assert drawing.scale == sum(part.num_bytes for part in drawing.parts)
    assert drawing.scale > drawing.num_bytes
    assert drawing.rest in svg(drawing)


def test_sizes_from_1024_gib_on_are_in_tib() -> None:
    shape = CARDS.models["DeepSeek-V3"]
    drawing = kv_memory(shape, H100, KVLoad(context=2**20, batch=1024))
    assert drawing.others[1].size == "4,880.0 TiB"
    assert (size(2**30), size(1023 * 2**30)) == ("1.000 GiB", "1,023.0 GiB")
    assert (size(2**40), size(10 * 2**40)) == ("1.000 TiB", "10.0 TiB")


def test_context_beyond_the_models_limit_is_said() -> None:
    shape = CARDS.models["Llama-3-8B"]
    assert beyond(shape, KVLoad(context=8192)) == ""
    assert beyond(shape, KVLoad(context=8193)).startswith(
        "Llama-3-8B takes at most 8,192 tokens: a context of 8,193 would"
    )
    assert all(model.max_context for model in CARDS.models.values())


def test_caches_by_kind_of_head_stand_in_order() -> None:
    shape, gpu = ModelShape("m", 2, 4, 2, 8, 10**6), GPU("g", 1, 1.0, 1.0)
    names = [part.name for part in kv_memory(shape, gpu, KVLoad()).others]
    assert names[:2] == ["cache as built (GQA)", "cache with MHA"]


def test_still_shows_joints_between_sequences_that_are_wide_enough() -> None:
    shape = CARDS.models["Llama-3-8B"]
    joints = [
        svg(kv_memory(shape, H100, KVLoad(batch=batch))).count('v30"')
        for batch in (1, 8, 1024)
    ]
    assert joints == [0, 7, 0]
