"""However many threads help, and whenever they come: the same bits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from labkit.model.decoder import Decoder
from labkit.model.weights import load_model
from tests.support.gguf_writer import Packed, write_gguf
from tests.support.steps import Part, inputs_of, shuffled_slots
from tests.support.tiny import packable_config, random_tensors

SHAPES = [(1, 0), (1, 30), (9, 0), (40, 7), (200, 0)]  # new tokens, tokens before them


@pytest.fixture(scope="module")
def source(cache: Path) -> Path:
    path = cache / "tiny.gguf"
    write_gguf(path, packable_config(), Packed(random_tensors(packable_config(), 5)))
    return path


@pytest.fixture
def restored() -> Iterator[None]:
    num_threads = torch.get_num_threads()
    yield
    torch.set_num_threads(num_threads)


def decoder_of(source: Path, num_threads: int) -> Decoder:
    torch.set_num_threads(num_threads)  # the kernels take as many
    decoder = load_model(source, cache=source.parent).decoder
    assert decoder.packed is not None
    return decoder


def logits_of(decoder: Decoder, num_new: int, num_before: int) -> torch.Tensor:
    kv, slots = decoder.new_store(512), shuffled_slots(512)
    numbers = torch.Generator().manual_seed(num_new)
    ids = torch.randint(0, 288, (num_before + num_new,), generator=numbers).tolist()
    if num_before:
        decoder.forward(inputs_of(Part(ids[:num_before], 0, slots)), kv)
    return decoder.forward(inputs_of(Part(ids, num_before, slots)), kv)


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("num_threads", [2, 3, 16, 100])
def test_any_number_of_threads_computes_the_very_same(
    source: Path, num_threads: int
) -> None:
    alone, many = decoder_of(source, 1), decoder_of(source, num_threads)
    wanted = [logits_of(alone, *shape) for shape in SHAPES]
    for _ in range(20):  # helpers are late in ever other ways
        for shape, logits in zip(SHAPES, wanted, strict=True):
            assert torch.equal(logits_of(many, *shape), logits)


@pytest.mark.usefixtures("restored")
def test_two_who_compute_at_once_do_not_disturb_each_other(source: Path) -> None:
    decoders = [decoder_of(source, 2) for _ in range(2)]
    wanted = [logits_of(decoders[0], *shape) for shape in SHAPES]
    faults: list[str] = []

    def compute(decoder: Decoder) -> None:
        for _ in range(30):
            for shape, logits in zip(SHAPES, wanted, strict=True):
                if not torch.equal(logits_of(decoder, *shape), logits):
                    faults.append(f"{shape} differs")

    threads = [threading.Thread(target=compute, args=(d,)) for d in decoders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
