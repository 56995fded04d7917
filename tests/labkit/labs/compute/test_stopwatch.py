"""The stopwatch times real passes of the shape that was asked, in turn."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest

from labkit.clock import FakeClock
from labkit.errors import ConfigError
from labkit.labs.compute.stopwatch import (
    PassShape,
    Stopwatch,
    linear_params,
    measure_roofs,
    pass_work,
    weight_bytes,
)
from labkit.model.weights import load_model
from tests.support.gguf_writer import Packed, write_gguf
from tests.support.tiny import packable_config, random_tensors, tiny_model


class Ticking(FakeClock):
    """A clock that is a second later at each look."""

    def now(self) -> float:
        self.advance(1.0)
        return super().now()


def test_each_shape_gets_the_median_of_its_rounds() -> None:
    watch = Stopwatch(tiny_model(), Ticking(), num_slots=64)
    shapes = [PassShape(new=4, context=16), PassShape(rows=3, context=8, scored=1)]
    assert watch.seconds(shapes, rounds=3) == pytest.approx([1.0, 1.0])


class Uneven(FakeClock):
    """A clock on which runs take 9, 4, 6 and 8 seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = iter([0, 9, 0, 4, 0, 6, 0, 8])

    def now(self) -> float:
        self.advance(next(self.steps))
        return super().now()


def test_a_median_or_a_best_leaves_out_the_round_that_warms_up() -> None:
    for pick, want in ((median, 6.0), (min, 4.0), (max, 8.0)):
        watch = Stopwatch(tiny_model(), Uneven(), num_slots=64)
        found = watch.seconds([PassShape(new=4, context=16)], rounds=3, pick=pick)
        assert found == pytest.approx([want])


def test_a_shape_that_does_not_fit_is_refused() -> None:
    watch = Stopwatch(tiny_model(), Ticking(), num_slots=64)
    for shape in (PassShape(rows=9, context=8), PassShape(new=9, context=8)):
        with pytest.raises(ConfigError, match="does not fit 64 slots"):
            watch.seconds([shape])


def test_every_row_of_a_pass_has_slots_of_its_own() -> None:
    watch = Stopwatch(tiny_model(), Ticking(), num_slots=64)
    inputs = watch._inputs(PassShape(rows=3, new=2, context=8, scored=2))
    inputs.check()
    assert len(set(inputs.read_slots.flatten().tolist())) == 24
    assert inputs.write_slots.tolist() == [6, 7, 14, 15, 22, 23]
    assert len(inputs.logit_indices) == 6


def test_roofs_count_read_and_written_bytes() -> None:
    roofs = measure_roofs(tiny_model(), Ticking())
    assert roofs.bytes_per_s == 2 * 4 * 2**25
    assert roofs.flop_per_s == 2 * 1024**3
    assert roofs.ridge == pytest.approx(8.0)


def test_weights_are_all_matrices_and_the_head() -> None:
    model = tiny_model()
    config = model.config
    layer = model.decoder.weights.layers[0]
    own = [p.weight for p in (layer.query, layer.key, layer.value)]
    matrices = [*own, layer.output, layer.gate, layer.up, layer.down]
    assert linear_params(config) == 2 * sum(matrix.numel() for matrix in matrices)
    head = config.vocab_size * config.width
    assert weight_bytes(model) == 4 * (linear_params(config) + head)
    work = pass_work(model)
    assert work.flop(10) == 2 * (10 * linear_params(config) + head)
    assert work.weight_bytes == weight_bytes(model)


def test_the_kernels_take_the_passes_of_several_rows(
    tmp_path: Path, cache: Path
) -> None:
    config = packable_config()
    write_gguf(tmp_path / "tiny.gguf", config, Packed(random_tensors(config, 5)))
    model = load_model(tmp_path / "tiny.gguf", cache=cache, kernels="native")
    watch = Stopwatch(model, Ticking(), num_slots=64)
    decodes = PassShape(rows=4, new=1, context=16)
    assert watch.seconds([decodes], rounds=1) == pytest.approx([1.0])


def test_named_shapes_get_the_best_round_and_progress_counts_every_pass() -> None:
    seen: list[tuple[int, int]] = []

    def progress(turns, what):
        assert what == "Timing passes"
        for turn in turns:
            seen.append(turn)
            yield turn

    watch = Stopwatch(tiny_model(), Ticking(), num_slots=64, progress=progress)
    shapes = {n: PassShape(new=n, context=16) for n in (2, 4)}
    assert watch.ms(shapes, rounds=2) == pytest.approx({2: 1000.0, 4: 1000.0})
    assert seen == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]
