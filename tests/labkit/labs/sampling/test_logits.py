"""Logits for looking at, and a look into the layers that gave them."""

from __future__ import annotations

import torch
from torch import Tensor

from labkit.labs.sampling.logits import next_logits
from labkit.model import reference
from tests.support.tiny import tiny_model


class Notes:
    """Keeps the shapes of what it is shown."""

    def __init__(self) -> None:
        self.states: list[tuple[int, ...]] = []
        self.weights: list[tuple[int, ...]] = []

    def hidden(self, layer: int, states: Tensor) -> None:
        assert layer == len(self.states)
        self.states.append(tuple(states.shape))

    def attention(self, layer: int, start: int, weights: Tensor) -> None:
        assert (layer, start) == (len(self.weights), 0)
        self.weights.append(tuple(weights.shape))


def test_the_last_logits_of_a_text_and_every_layer_can_be_looked_at() -> None:
    model, notes = tiny_model(), Notes()
    ids = [5, 6, 7, 8, 9]
    got = next_logits(model, ids, last=2, watch=notes)
    wanted = reference.logits(model.decoder, ids)[-2:]
    torch.testing.assert_close(got, wanted, atol=1e-4, rtol=0)
    assert notes.states == [(5, model.config.width)] * 3
    assert notes.weights == [(5, model.config.num_heads, 5)] * 2
