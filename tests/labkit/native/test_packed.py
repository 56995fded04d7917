"""The decoder over 4-bit blocks: the plain path's values, to 16 bits of each token."""

from __future__ import annotations

from dataclasses import replace

import gguf
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.model.decoder import Decoder
from labkit.model.kv_store import KVStore
from labkit.model.layers import rms_norm
from labkit.model.weights import load_model
from labkit.native.kernels import Kernels
from labkit.native.library import FLAGS, open_library
from labkit.native.packed import PackedDecoder
from labkit.native.scratch import CHUNK, UNIT
from labkit.weights.parameters import packed_name
from labkit.weights.parsed import open_parsed
from tests.support.gguf_writer import Packed, write_gguf
from tests.support.steps import Part, inputs_of, shuffled_slots
from tests.support.tiny import packable_config, random_tensors

CLOSE = {"atol": 5e-3, "rtol": 0}  # what 16 bits leave of logits that spread by 10
PORTABLE = tuple(flag for flag in FLAGS if flag != "-march=native")
AVX2 = (*PORTABLE, "-mavx2", "-mfma", "-mf16c")
BUILDS = {"native": FLAGS, "portable": PORTABLE}
if "AVX" in torch.backends.cpu.get_cpu_capability():  # AVX2 or AVX512
    BUILDS["avx2"] = AVX2
KINDS = gguf.GGMLQuantizationType


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A small quantised model on disk."""
    path = tmp_path_factory.mktemp("packed") / "tiny.gguf"
    write_gguf(path, packable_config(), Packed(random_tensors(packable_config(), 5)))
    return path


@pytest.fixture(scope="module")
def models(source, cache):
    """The same quantised model twice: as it is loaded, and without its blocks."""
    packed = load_model(source, cache=cache).decoder
    plain = load_model(source, cache=cache, kernels="torch").decoder
    assert packed.packed is not None
    assert plain.packed is None
    return packed, plain


def ids_of(seed: int, length: int) -> list[int]:
    source = torch.Generator().manual_seed(seed)
    return torch.randint(0, 288, (length,), generator=source).tolist()


def run(decoder: Decoder, *steps: list[Part], num_slots: int = 512):
    """Logits of the last of `steps`, and the store after it."""
    kv = decoder.new_store(num_slots)
    for parts in steps:
        logits = decoder.forward(inputs_of(*parts), kv)
    return logits, kv


@pytest.mark.parametrize("length", [1, 2, 3, 5, 8, 13, 31, CHUNK, CHUNK + 1, 450])
def test_a_prompt_gives_the_same_logits_keys_and_values(models, length):
    part = [Part(ids_of(length, length), 0, shuffled_slots(512))]
    (got, kv), (wanted, plain_kv) = (run(decoder, part) for decoder in models)
    torch.testing.assert_close(got, wanted, **CLOSE)
    slots = torch.tensor(part[0].slots[:length])
    for mine, theirs in zip(kv.read(1, slots), plain_kv.read(1, slots), strict=True):
        torch.testing.assert_close(mine, theirs, **CLOSE)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 5)), max_size=8))
def test_any_mix_of_decodes_and_chunks_equals_the_plain_path(models, shapes):
    parts = [
        Part(ids_of(place, old + new), old, list(range(32 * place, 32 * place + 32)))
        for place, (old, new) in enumerate([(9, 1), *shapes])
    ]
    before = [Part(p.ids[: p.start], 0, p.slots) for p in parts if p.start]
    (got, _), (wanted, _) = (run(decoder, before, parts) for decoder in models)
    torch.testing.assert_close(got, wanted, **CLOSE)


def test_a_sequence_gets_the_very_same_logits_alone_and_in_a_batch(models):
    packed, _ = models
    parts = [
        Part(ids_of(place, 12), 11, list(range(16 * place, 16 * place + 16)))
        for place in range(7)
    ]
    before = [Part(p.ids[:11], 0, p.slots) for p in parts[:4]]
    later = [Part(p.ids[:11], 0, p.slots) for p in parts[4:]]
    together, _ = run(packed, before, later, parts)
    for place, part in enumerate(parts):
        alone, _ = run(packed, [Part(part.ids[:11], 0, part.slots)], [part])
        assert torch.equal(alone[0], together[place])


def test_more_heads_than_are_computed_at_once_lose_none(tmp_path, cache):
    config = replace(packable_config(), num_heads=22, num_kv_heads=11)
    assert config.num_kv_heads > UNIT
    path = tmp_path / "wide.gguf"
    write_gguf(path, config, Packed(random_tensors(config, 6)))
    parts = [
        Part(ids_of(place, 12), 12 - new, list(range(16 * place, 16 * place + 16)))
        for place, new in enumerate((1, 3, 12))
    ]
    before = [Part(p.ids[: p.start], 0, p.slots) for p in parts if p.start]
    got, wanted = (
        run(load_model(path, cache=cache, kernels=k).decoder, before, parts)[0]
        for k in ("native", "torch")
    )
    torch.testing.assert_close(got, wanted, **CLOSE)


def test_several_tokens_of_a_row_can_be_scored(models):
    part = Part(ids_of(3, 9), 0, shuffled_slots(32))
    whole = inputs_of(part)
    fields = {name: getattr(whole, name) for name in whole.__slots__}
    several = type(whole)(**{**fields, "num_logits": (4,)})
    packed, plain = models
    got = packed.forward(several, packed.new_store(32))
    wanted = plain.forward(several, plain.new_store(32))
    assert got.shape == (4, 288)
    torch.testing.assert_close(got, wanted, **CLOSE)


def test_an_early_exit_leaves_after_the_same_layer(models):
    part = inputs_of(Part(ids_of(4, 6), 0, shuffled_slots(32)))
    got, wanted = (
        decoder.forward(part, decoder.new_store(32), num_layers=1) for decoder in models
    )
    torch.testing.assert_close(got, wanted, **CLOSE)


@pytest.fixture(scope="module", params=BUILDS)
def kernels(request, cache):
    """The kernels as they are built for one processor or another."""
    library = open_library(cache, BUILDS[request.param])
    assert library is not None
    return Kernels(library)


def by_hand(x, weight):
    """x [n, in] times weight [out, in], each 32 of x rounded to 16 bits: float64."""
    blocks = x.double().view(len(x), -1, 32)
    scale = blocks.abs().amax(-1, keepdim=True) / 32767
    whole = (blocks / scale).nan_to_num().round()
    return (whole * scale).view(len(x), -1) @ weight.double().T


@pytest.mark.parametrize("kind", [KINDS.Q4_1, KINDS.Q8_0], ids=["Q4_1", "Q8_0"])
@pytest.mark.parametrize("vocab_size", [288, 259])  # 259: the last tile overhangs
@pytest.mark.parametrize("num_tokens", [1, 2, 3, 4, 7, 8, 11, 12, 13, 40, CHUNK + 5])
def test_a_product_is_the_weights_times_tokens_of_16_bits(
    kernels, kind, vocab_size, num_tokens
):
    """A pass of no layers is a norm and the head."""
    config = replace(packable_config(), vocab_size=vocab_size)
    tensors = random_tensors(config, 7)
    packed = {
        packed_name(name): torch.from_numpy(gguf.quants.quantize(t.numpy(), kind))
        for name, t in tensors.items()
        if t.ndim == 2
    }
    decoder = PackedDecoder(config, {**tensors, **packed}, kernels)
    source = torch.Generator().manual_seed(num_tokens)
    x = torch.randn(num_tokens, config.width, generator=source) ** 3
    step = inputs_of(Part([5] * num_tokens, 0, list(range(num_tokens))))
    scored = replace(step, num_logits=(num_tokens,))
    store = KVStore(config, num_tokens, dtype=x.dtype, device=x.device)
    got = decoder.run(x.clone(), scored, store, decoder.new_scratch(), depth=0)
    blocks = packed[packed_name("model.embed_tokens.weight")].numpy()
    weight = torch.from_numpy(gguf.quants.dequantize(blocks, kind))
    normed = rms_norm(x, tensors["model.norm.weight"], config.norm_eps)
    wanted = by_hand(normed, weight)  # to a number or two that lie between two others
    torch.testing.assert_close(got.double(), wanted, atol=2e-4, rtol=0)


def test_every_build_of_the_kernels_computes_the_same(models, source, cache, kernels):
    packed, plain = models
    tensors = open_parsed(source, cache).tensors
    twin = PackedDecoder(packed.config, tensors, kernels)
    part = [Part(ids_of(6, 100), 0, shuffled_slots(128))]
    got, _ = run(Decoder(packed.config, packed.weights, twin), part)
    torch.testing.assert_close(got, run(plain, part)[0], **CLOSE)


@pytest.mark.parametrize("cut", [1, 31, 64, 99])
def test_a_prompt_in_two_parts_gives_the_very_same_logits(models, cut):
    packed, _ = models
    slots = shuffled_slots(128)
    ids = ids_of(9, 100)
    whole, _ = run(packed, [Part(ids, 0, slots)])
    parts, _ = run(packed, [Part(ids[:cut], 0, slots)], [Part(ids, cut, slots)])
    assert torch.equal(whole, parts)
