"""A whole pass on a device without float64 asks for none, and stays on it."""

from __future__ import annotations

from dataclasses import replace

import torch

from labkit.model.decoder import Decoder
from labkit.model.inputs import ForwardInputs
from labkit.model.kv_store import KVStore
from labkit.weights.parameters import ModelWeights
from tests.support.no_float64 import DEVICE, DeviceTensor, Pretended
from tests.support.steps import Part, inputs_of, shuffled_slots
from tests.support.tiny import random_tensors, tiny_config


def moved(inputs: ForwardInputs) -> ForwardInputs:
    names = ("token_ids", "positions", "write_slots", "read_slots")
    return replace(inputs, **{n: getattr(inputs, n).to(DEVICE) for n in names})


def logits_of(decoder: Decoder, *, is_moved: bool) -> torch.Tensor:
    """A prompt in two parts and a decode step, beside another prompt."""
    kv = decoder.new_store(64)
    ids, slots = list(range(3, 23)), shuffled_slots(64)
    for start, end in ((0, 8), (8, 19), (19, 20)):
        other = Part(ids[: end - 3], start and start - 3, slots[32:])
        step = inputs_of(Part(ids[:end], start, slots), other)
        logits = decoder.forward(moved(step) if is_moved else step, kv)
    return logits


def test_a_pass_needs_no_float64_on_its_device() -> None:
    config = tiny_config()
    tensors = random_tensors(config, 0)
    plain = Decoder(config, ModelWeights.from_tensors(config, tensors))
    wanted = logits_of(plain, is_moved=False)
    with Pretended():
        there = {name: tensor.to(DEVICE) for name, tensor in tensors.items()}
        decoder = Decoder(config, ModelWeights.from_tensors(config, there))
        got = logits_of(decoder, is_moved=True)
        assert isinstance(got, DeviceTensor)
        assert isinstance(decoder.new_store(4), KVStore)
    torch.testing.assert_close(got.as_subclass(torch.Tensor), wanted)
