"""A watched pass shows every layer, and computes what it computes unwatched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from labkit.errors import ConfigError
from labkit.model import reference
from labkit.model.layers import rms_norm
from labkit.model.weights import load_model
from tests.support.gguf_writer import Packed, write_gguf
from tests.support.steps import Part, inputs_of, shuffled_slots
from tests.support.tiny import packable_config, random_tensors, tiny_model


class Notes:
    """Keeps all it is shown."""

    def __init__(self) -> None:
        self.states: dict[int, Tensor] = {}
        self.weights: dict[int, list[tuple[int, Tensor]]] = {}

    def hidden(self, layer: int, states: Tensor) -> None:
        self.states[layer] = states

    def attention(self, layer: int, start: int, weights: Tensor) -> None:
        self.weights.setdefault(layer, []).append((start, weights))


SLOTS = shuffled_slots(256)
PARTS = (
    Part(list(range(3, 143)), 0, SLOTS[:140]),  # longer than attention's pieces
    Part([7, 9, 11, 13], 0, SLOTS[140:160]),
)
STEP = inputs_of(*PARTS)


def test_a_watched_pass_gives_the_same_logits() -> None:
    decoder, notes = tiny_model().decoder, Notes()
    wanted = decoder.forward(STEP, decoder.new_store(256))
    got = decoder.forward(STEP, decoder.new_store(256), watch=notes)
    torch.testing.assert_close(got, wanted)


def test_hidden_states_lead_from_the_embedding_to_the_logits() -> None:
    decoder, notes = tiny_model().decoder, Notes()
    logits = decoder.forward(STEP, decoder.new_store(256), watch=notes)
    assert sorted(notes.states) == [0, 1, 2]
    assert torch.equal(notes.states[0], decoder.weights.embedding[STEP.token_ids])
    normed = rms_norm(
        notes.states[2], decoder.weights.final_norm, decoder.config.norm_eps
    )
    every = normed @ decoder.weights.head.T
    torch.testing.assert_close(every[[139, 143]], logits)
    for place, part in enumerate(PARTS):
        wanted = reference.logits(decoder, part.ids)
        rows = slice(0, 140) if place == 0 else slice(140, 144)
        torch.testing.assert_close(every[rows], wanted, atol=1e-4, rtol=0)


def test_attention_weights_are_shares_of_what_a_token_may_see() -> None:
    decoder, notes = tiny_model().decoder, Notes()
    decoder.forward(STEP, decoder.new_store(256), watch=notes)
    for layer in range(2):
        assert [start for start, _ in notes.weights[layer]] == [0, 128, 140]
        assert sum(len(each) for _, each in notes.weights[layer]) == 144
        for start, each in notes.weights[layer]:
            ones = torch.ones(len(each), decoder.config.num_heads)
            torch.testing.assert_close(each.sum(-1), ones)
            for row, shares in enumerate(each):
                last = int(STEP.positions[start + row])
                assert not shares[:, last + 1 :].any()


def test_the_first_layers_weights_mix_what_attention_mixes() -> None:
    """A head's weights, times the values of its group, are its part of the output."""
    decoder, notes = tiny_model().decoder, Notes()
    kv = decoder.new_store(256)
    decoder.forward(STEP, kv, watch=notes)
    layer, first = decoder.weights.layers[0], notes.weights[0][2][1]  # [4, heads, 4]
    _, values = kv.read(0, torch.tensor(PARTS[1].slots[:4]))  # [4, kv_heads, d]
    group = decoder.config.num_heads // decoder.config.num_kv_heads
    mixed = torch.einsum("qhc,chd->qhd", first, values.repeat_interleave(group, 1))
    before = notes.states[0][140:] + mixed.flatten(1) @ layer.output.T
    normed = rms_norm(before, layer.ffn_norm, decoder.config.norm_eps)
    gated = torch.nn.functional.silu(normed @ layer.gate.T) * (normed @ layer.up.T)
    torch.testing.assert_close(
        before + gated @ layer.down.T, notes.states[1][140:], atol=1e-4, rtol=0
    )


def test_an_early_exit_shows_no_more_than_its_layers() -> None:
    decoder, notes = tiny_model().decoder, Notes()
    decoder.forward(STEP, decoder.new_store(256), num_layers=1, watch=notes)
    assert (sorted(notes.states), sorted(notes.weights)) == ([0, 1], [0])


def test_the_kernels_cannot_be_watched_and_say_what_can(
    tmp_path: Path, cache: Path
) -> None:
    path = tmp_path / "tiny.gguf"
    config = replace(packable_config(), num_layers=1)
    write_gguf(path, config, Packed(random_tensors(config, 5)))
    model = load_model(path, cache=cache, kernels="native")
    step = inputs_of(Part([5, 6], 0, [0, 1]))
    with pytest.raises(ConfigError, match="watch= needs kernels='torch'"):
        model.decoder.forward(step, model.decoder.new_store(2), watch=Notes())
    notes, plain = Notes(), model.computed_by("torch").decoder
    plain.forward(step, plain.new_store(2), watch=notes)
    assert len(notes.states) == 2
