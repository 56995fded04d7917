"""Filled-up decode steps equal plain ones; a shape is recorded once."""

from __future__ import annotations

import pytest
import torch

from labkit.model.decoder import Decoder
from labkit.model.graphs import CONTEXT_STEP, MAX_ROWS, START_SHAPES, DecodeGraphs
from labkit.model.inputs import ForwardInputs
from labkit.weights.parameters import ModelWeights
from tests.support.steps import Part, inputs_of
from tests.support.tiny import random_tensors, tiny_config, tiny_model

CLOSE = {"atol": 1e-5, "rtol": 0}


class Recorder:
    """Counts recordings; a recording on the CPU is the pass itself."""

    def __init__(self) -> None:
        self.num_recorded = 0

    def __call__(self, forward):
        self.num_recorded += 1
        return forward


def parts_of(lengths: list[int]) -> list[Part]:
    """Sequences whose last token is new."""
    found = []
    for place, length in enumerate(lengths):
        first = 40 * place
        ids = [(7 * place + 3 * i) % 288 for i in range(length)]
        found.append(Part(ids, length - 1, list(range(first, first + 40))))
    return found


def prepared(decoder, parts, num_slots: int = 1024):
    kv = decoder.new_store(num_slots)
    decoder.forward(inputs_of(*(Part(p.ids[:-1], 0, p.slots) for p in parts)), kv)
    return kv


@pytest.mark.parametrize("lengths", [[5], [9, 4, 17], [3, 3, 3, 3], [2] * 21])
def test_a_recorded_step_equals_the_plain_one(lengths):
    decoder, parts = tiny_model().decoder, parts_of(lengths)
    step = inputs_of(*parts)
    graphs = DecodeGraphs(decoder, prepared(decoder, parts), Recorder())
    wanted = decoder.forward(step, prepared(decoder, parts))
    torch.testing.assert_close(graphs.logits(step), wanted, **CLOSE)


def test_rows_that_fill_up_leave_other_slots_alone():
    decoder, parts = tiny_model().decoder, parts_of([6, 8, 4])
    mine, plain = prepared(decoder, parts), prepared(decoder, parts)
    DecodeGraphs(decoder, mine, Recorder()).logits(inputs_of(*parts))
    decoder.forward(inputs_of(*parts), plain)
    every = torch.arange(1024)
    for got, wanted in zip(mine.read(1, every), plain.read(1, every), strict=True):
        torch.testing.assert_close(got, wanted, **CLOSE)


def test_a_shape_is_recorded_once_and_answers_stay_apart():
    decoder, recorder = tiny_model().decoder, Recorder()
    parts = parts_of([6, 8, 4])
    graphs = DecodeGraphs(decoder, prepared(decoder, parts), recorder)
    first = graphs.logits(inputs_of(*parts))
    kept = first.clone()
    graphs.logits(inputs_of(*reversed(parts), parts[0]))
    assert recorder.num_recorded == 1
    assert graphs.shapes == ((4, CONTEXT_STEP),)
    assert torch.equal(first, kept)


def test_prompts_and_large_batches_are_not_recorded():
    decoder = tiny_model().decoder
    graphs = DecodeGraphs(decoder, decoder.new_store(4096), Recorder())
    assert graphs.logits(inputs_of(Part([1, 2, 3], 0, [0, 1, 2]))) is None
    many = [Part([5], 0, [place]) for place in range(MAX_ROWS + 1)]
    assert graphs.logits(inputs_of(*many)) is None
    assert graphs.shapes == ()


def test_the_stated_shapes_are_recorded_before_the_first_request():
    decoder, recorder = tiny_model().decoder, Recorder()
    parts = parts_of([6, 8, 4])
    graphs = DecodeGraphs(decoder, decoder.new_store(1024), recorder)
    graphs.record()
    assert graphs.shapes == START_SHAPES
    assert recorder.num_recorded == len(START_SHAPES)
    kv = prepared(decoder, parts)
    mine = DecodeGraphs(decoder, kv, recorder)
    mine.record(((4, CONTEXT_STEP),))
    before = recorder.num_recorded
    got = mine.logits(inputs_of(*parts))
    assert recorder.num_recorded == before
    wanted = decoder.forward(inputs_of(*parts), prepared(decoder, parts))
    torch.testing.assert_close(got, wanted, **CLOSE)


def test_the_graph_unused_longest_is_dropped_at_the_bound():
    decoder, recorder = tiny_model().decoder, Recorder()
    graphs = DecodeGraphs(decoder, decoder.new_store(4096), recorder, max_graphs=2)
    steps = {rows: inputs_of(*parts_of([2] * rows)) for rows in (1, 2, 4)}
    for rows in (1, 2, 1, 4):
        graphs.logits(steps[rows])
    assert graphs.shapes == ((1, CONTEXT_STEP), (4, CONTEXT_STEP))
    assert recorder.num_recorded == 3
    graphs.logits(steps[2])  # dropped: recorded anew
    assert recorder.num_recorded == 4
    assert graphs.shapes == ((4, CONTEXT_STEP), (2, CONTEXT_STEP))


def on_cuda(inputs: ForwardInputs) -> ForwardInputs:
    fields = {name: getattr(inputs, name) for name in inputs.__slots__}
    tensors = {n: v.cuda() for n, v in fields.items() if isinstance(v, torch.Tensor)}
    return ForwardInputs(**{**fields, **tensors})


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_cuda_graph_equals_the_plain_step():
    config = tiny_config()
    tensors = {n: t.cuda() for n, t in random_tensors(config, 0).items()}
    decoder = Decoder(config, ModelWeights.from_tensors(config, tensors))
    step = on_cuda(inputs_of(*parts_of([9, 4, 17])))
    graphs = DecodeGraphs(decoder, decoder.new_store(1024))
    for _ in range(2):  # recorded, then replayed
        got = graphs.logits(step)
    torch.testing.assert_close(
        got, decoder.forward(step, decoder.new_store(1024)), **CLOSE
    )
