"""Passes of few tokens over 4-bit blocks equal the plain path over the same values."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.model.decoder import Decoder
from labkit.model.native.kernels import Kernels
from labkit.model.native.library import FLAGS, open_library
from labkit.model.packed import MAX_TOKENS, PackedDecoder
from labkit.model.weights import load_model
from tests.support.gguf_writer import Packed, write_gguf
from tests.support.steps import Part, empty_store, inputs_of, shuffled_slots
from tests.support.tiny import packable_config, random_tensors

CLOSE = {"atol": 1e-4, "rtol": 0}
PORTABLE = tuple(flag for flag in FLAGS if flag != "-march=native")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The same quantised model twice: as it is loaded, and without its blocks."""
    folder = tmp_path_factory.mktemp("packed")
    config = packable_config()
    path = folder / "tiny.gguf"
    write_gguf(path, config, Packed(random_tensors(config, 5)))
    packed = load_model(path, cache=folder).decoder
    plain = load_model(path, cache=folder, quantise=False).decoder
    assert packed.packed is not None
    assert plain.packed is None
    return packed, plain


def ids_of(seed: int, length: int) -> list[int]:
    source = torch.Generator().manual_seed(seed)
    return torch.randint(0, 288, (length,), generator=source).tolist()


def run(decoder: Decoder, *steps: list[Part], num_slots: int = 512):
    """Logits of the last of `steps`, and the store after it."""
    kv = empty_store(decoder, num_slots)
    for parts in steps:
        logits = decoder.forward(inputs_of(*parts), kv)
    return logits, kv


@pytest.mark.parametrize("length", [1, 2, 5, 8, 9, 31, MAX_TOKENS])
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


def test_several_tokens_of_a_row_can_be_scored(models):
    part = Part(ids_of(3, 9), 0, shuffled_slots(32))
    whole = inputs_of(part)
    fields = {name: getattr(whole, name) for name in whole.__slots__}
    several = type(whole)(**{**fields, "num_logits": (4,)})
    packed, plain = models
    got = packed.forward(several, empty_store(packed, 32))
    wanted = plain.forward(several, empty_store(plain, 32))
    assert got.shape == (4, 288)
    torch.testing.assert_close(got, wanted, **CLOSE)


def test_an_early_exit_leaves_after_the_same_layer(models):
    part = inputs_of(Part(ids_of(4, 6), 0, shuffled_slots(32)))
    got, wanted = (
        decoder.forward(part, empty_store(decoder, 32), num_layers=1)
        for decoder in models
    )
    torch.testing.assert_close(got, wanted, **CLOSE)


def test_long_passes_may_multiply_in_bfloat16_and_stay_near(models):
    packed, plain = models
    twin = Decoder(plain.config, plain.weights, packed.packed, torch.bfloat16)
    part = [Part(ids_of(8, MAX_TOKENS + 9), 0, shuffled_slots(512))]
    (got, kv), (wanted, _) = run(twin, part), run(plain, part)
    assert kv.read(0, torch.tensor([0]))[0].dtype == torch.float32
    assert not torch.equal(got, wanted)
    torch.testing.assert_close(got, wanted, atol=0.5, rtol=0)


def test_without_vector_instructions_the_results_are_the_same(models, tmp_path):
    packed, _ = models
    library = open_library(tmp_path, PORTABLE)
    assert library is not None
    kernels = Kernels(library, packed.config)
    assert packed.packed is not None
    twin = PackedDecoder(packed.config, packed.packed.tensors, kernels)
    part = [Part(ids_of(6, 11), 0, shuffled_slots(32))]
    got, _ = run(Decoder(packed.config, packed.weights, twin), part)
    torch.testing.assert_close(got, run(packed, part)[0], **CLOSE)
