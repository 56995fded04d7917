"""What PyTorch refuses by itself, the way into the kernels refuses by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from labkit.model.decoder import Decoder
from labkit.model.inputs import ForwardInputs
from labkit.model.kv_store import KVStore
from labkit.model.weights import load_model
from tests.support.gguf_writer import Packed, write_gguf
from tests.support.steps import Part, inputs_of
from tests.support.tiny import packable_config, random_tensors

STEP = inputs_of(Part([5, 6, 7], 0, list(range(16))))


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Decoder:
    path = tmp_path_factory.mktemp("refusals") / "tiny.gguf"
    write_gguf(path, packable_config(), Packed(random_tensors(packable_config(), 5)))
    return load_model(path, cache=cache, kernels="native").decoder


@pytest.mark.parametrize("far", [16, 40, 1 << 40, -1])
def test_a_slot_to_write_that_is_not_there_is_an_index_error(
    decoder: Decoder, far: int
) -> None:
    kv = decoder.new_store(16)
    step = replace(STEP, write_slots=torch.tensor([0, 1, far]))
    with pytest.raises(IndexError, match=f"write_slots names slot {far} .*0 to 15"):
        decoder.forward(step, kv)
    assert not any(each.any() for each in kv.read(0, torch.arange(16)))


@pytest.mark.parametrize("far", [16, 1 << 33, -1])
def test_a_slot_to_read_that_is_not_there_is_an_index_error(
    decoder: Decoder, far: int
) -> None:
    step = replace(STEP, read_slots=torch.tensor([[0, far, 2]]))
    with pytest.raises(IndexError, match=f"read_slots names slot {far} .*number 1"):
        decoder.forward(step, decoder.new_store(16))


@pytest.mark.parametrize(
    "positions", [[0, 1, 9], [0, 2, 2], [1, 2, 3], [-1, 0, 1], [0, 0, 1]]
)
def test_positions_that_do_not_fit_the_context_are_a_value_error(
    decoder: Decoder, positions: list[int]
) -> None:
    step = replace(STEP, positions=torch.tensor(positions))
    with pytest.raises(ValueError, match=r"positions\[\d\] is -?\d: .*context_lens="):
        decoder.forward(step, decoder.new_store(16))


def test_a_context_beyond_the_models_positions_is_a_value_error(
    decoder: Decoder,
) -> None:
    size = decoder.config.max_context + 1
    step = inputs_of(Part([5] * size, size - 1, list(range(size))))
    with pytest.raises(ValueError, match=r"context_lens\[0\] is 1025: .*end at 1024"):
        decoder.forward(step, decoder.new_store(size))


@pytest.mark.parametrize("name", ["positions", "write_slots", "read_slots"])
def test_numbers_of_another_kind_are_a_value_error(decoder: Decoder, name: str) -> None:
    values: torch.Tensor = getattr(STEP, name)
    with pytest.raises(ValueError, match=rf"{name} is torch\.int32"):
        decoder.forward(replace(STEP, **{name: values.int()}), decoder.new_store(16))


@pytest.mark.parametrize("name", ["positions", "write_slots"])
def test_numbers_that_lie_apart_are_a_value_error(decoder: Decoder, name: str) -> None:
    values = torch.arange(6)[::2] // 2
    with pytest.raises(ValueError, match=rf"{name} is .*strides \(2,\)"):
        decoder.forward(replace(STEP, **{name: _apart(values)}), decoder.new_store(16))


def _apart(values: torch.Tensor) -> torch.Tensor:
    """The same numbers, every second place of a longer tensor."""
    room = torch.empty(2 * len(values), dtype=values.dtype)
    room[::2] = values
    return room[::2]


def stores(decoder: Decoder) -> dict[str, KVStore]:
    config, cpu = decoder.config, torch.device("cpu")
    return {
        "half": KVStore(config, 16, dtype=torch.float16, device=cpu),
        "fewer layers": KVStore(
            replace(config, num_layers=1), 16, dtype=torch.float32, device=cpu
        ),
        "fewer heads": KVStore(
            replace(config, num_kv_heads=1), 16, dtype=torch.float32, device=cpu
        ),
        "elsewhere": KVStore(
            config, 16, dtype=torch.float32, device=torch.device("meta")
        ),
    }


@pytest.mark.parametrize("kind", ["half", "fewer layers", "fewer heads", "elsewhere"])
def test_a_store_of_another_kind_is_a_value_error(decoder: Decoder, kind: str) -> None:
    with pytest.raises(ValueError, match=r"make it with decoder\.new_store"):
        decoder.forward(STEP, stores(decoder)[kind])


def test_scratch_of_another_model_is_a_value_error(decoder: Decoder) -> None:
    assert decoder.packed is not None
    other = decoder.new_scratch()
    assert other is not None
    other.config = replace(decoder.config, num_heads=2)
    with pytest.raises(ValueError, match="scratch was made for another model"):
        decoder.forward(STEP, decoder.new_store(16), scratch=other)


def test_tokens_of_another_dtype_are_a_value_error(decoder: Decoder) -> None:
    assert decoder.packed is not None
    x = torch.zeros(3, decoder.config.width, dtype=torch.bfloat16)
    with pytest.raises(ValueError, match="the kernels compute float32"):
        decoder.packed.run(
            x, STEP, decoder.new_store(16), decoder.packed.new_scratch(), 1
        )


@pytest.mark.parametrize("depth", [-1, 3])
def test_layers_that_are_not_there_are_a_value_error(
    decoder: Decoder, depth: int
) -> None:
    with pytest.raises(ValueError, match=f"num_layers={depth}: the model has 2"):
        decoder.forward(STEP, decoder.new_store(16), num_layers=depth)


def test_what_is_refused_in_a_batch_is_named_by_its_place(decoder: Decoder) -> None:
    parts = [Part([5] * (n + 1), n, list(range(8 * n, 8 * n + 8))) for n in range(4)]
    step: ForwardInputs = inputs_of(*parts)
    step.read_slots[2, 1] = 99
    with pytest.raises(IndexError, match=r"read_slots names slot 99 \(number 9\)"):
        decoder.forward(step, decoder.new_store(32))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"query_lens": (2,)}, "rows has 2 entries: 3 tokens in 1 sequences have 3"),
        ({"context_lens": (3, 3)}, "context_lens has 2 entries"),
        ({"positions": torch.arange(2)}, "positions has 2 entries"),
        ({"write_slots": torch.arange(4)}, "write_slots has 4 entries"),
        ({"read_slots": torch.zeros(2, 3, dtype=torch.int64)}, "read_slots has 2"),
        ({"num_logits": (4,)}, "4 of 3 new tokens cannot be scored"),
        ({"num_logits": (-1,)}, "-1 of 3 new tokens cannot be scored"),
    ],
)
def test_lengths_that_do_not_agree_are_a_value_error(
    decoder: Decoder, change: dict[str, object], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        decoder.forward(replace(STEP, **change), decoder.new_store(16))
