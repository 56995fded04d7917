"""The decoder over slots is the reference, whoever shares the step."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.model import reference
from tests.support.steps import (
    Part,
    forward_all,
    inputs_of,
    shuffled_slots,
)
from tests.support.tiny import tiny_model

CLOSE = {"atol": 1e-4, "rtol": 0}


def ids_of(seed: int, length: int) -> list[int]:
    source = torch.Generator().manual_seed(seed)
    return torch.randint(0, 288, (length,), generator=source).tolist()


@pytest.mark.parametrize("num_prefill", [1, 7, 20])
def test_prefill_then_decode_equals_recomputing_everything(num_prefill):
    decoder, ids = tiny_model().decoder, ids_of(1, 20)
    got = forward_all(decoder, ids, num_prefill, shuffled_slots(32))
    wanted = reference.logits(decoder, ids)[num_prefill - 1 :]
    torch.testing.assert_close(got, wanted, **CLOSE)


def test_a_prompt_in_chunks_equals_a_prompt_at_once():
    decoder, ids, slots = tiny_model().decoder, ids_of(2, 30), shuffled_slots(32)
    kv = decoder.new_store(32)
    for start, end in ((0, 11), (11, 12), (12, 30)):
        got = decoder.forward(inputs_of(Part(ids[:end], start, slots)), kv)
    torch.testing.assert_close(got[0], reference.logits(decoder, ids)[-1], **CLOSE)


def test_prefills_and_decodes_of_any_length_share_a_step():
    decoder, slots = tiny_model().decoder, shuffled_slots(128)
    kv = decoder.new_store(128)
    texts = [ids_of(seed, length) for seed, length in ((3, 9), (4, 5), (5, 17), (6, 5))]
    owned = [slots[32 * place : 32 * place + 32] for place in range(4)]
    parts = [Part(ids, 0, own) for ids, own in zip(texts, owned, strict=True)]
    for part in parts[:2]:  # these two decode below, the others prefill
        decoder.forward(inputs_of(Part(part.ids[:-1], 0, part.slots)), kv)
    mixed = [Part(p.ids, len(p.ids) - 1, p.slots) for p in parts[:2]] + parts[2:]
    got = decoder.forward(inputs_of(*mixed), kv)
    wanted = torch.stack([reference.logits(decoder, ids)[-1] for ids in texts])
    torch.testing.assert_close(got, wanted, **CLOSE)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(1, 6)), min_size=1, max_size=6)
)
def test_any_mixture_of_sequences_gives_each_its_own_logits(shapes):
    decoder = tiny_model(num_layers=1).decoder
    slots, kv = shuffled_slots(128), decoder.new_store(128)
    parts = []
    for place, (old, new) in enumerate(shapes):
        own = slots[20 * place : 20 * place + 20]
        ids = ids_of(place, old + new)
        if old:
            decoder.forward(inputs_of(Part(ids[:old], 0, own)), kv)
        parts.append(Part(ids, old, own))
    got = decoder.forward(inputs_of(*parts), kv)
    wanted = torch.stack([reference.logits(decoder, p.ids)[-1] for p in parts])
    torch.testing.assert_close(got, wanted, **CLOSE)


def test_slots_of_others_are_never_seen():
    decoder, ids, slots = tiny_model().decoder, ids_of(8, 12), shuffled_slots(32)
    kv = decoder.new_store(32)
    everything = torch.full((32, 2, 8), 1e4)
    for layer in range(2):
        kv.write(layer, torch.arange(32), everything, everything)
    parts = Part(ids, 0, slots[:12]), Part(ids[:3], 0, slots[12:15])
    got = decoder.forward(inputs_of(*parts), kv)
    wanted = [reference.logits(decoder, part.ids)[-1] for part in parts]
    torch.testing.assert_close(got, torch.stack(wanted), **CLOSE)


def test_only_final_positions_get_logits_in_float32():
    decoder = tiny_model().decoder
    parts = Part(ids_of(1, 5), 0, list(range(5))), Part(ids_of(2, 3), 0, [5, 6, 7])
    got = decoder.forward(inputs_of(*parts), decoder.new_store(8))
    assert got.shape == (2, 288)
    assert got.dtype is torch.float32
    assert not got.requires_grad


def test_bfloat16_stays_near_the_float32_reference():
    full = tiny_model()
    half = tiny_model(dtype=torch.bfloat16)
    ids = ids_of(9, 16)
    got = forward_all(half.decoder, ids, 10, shuffled_slots(32))
    wanted = reference.logits(full.decoder, ids)[9:]
    assert got.dtype is torch.float32
    assert (got - wanted).abs().max() < 0.25  # 8 bits of mantissa; logits are near 3


def test_inputs_whose_shapes_disagree_are_refused():
    inputs = inputs_of(Part([1, 2, 3], 0, [0, 1, 2]))
    wrong = replace(inputs, write_slots=inputs.write_slots[:2])
    decoder = tiny_model().decoder
    with pytest.raises(AssertionError, match="write_slots"):
        decoder.forward(wrong, decoder.new_store(4))
