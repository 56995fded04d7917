"""Two engines on one model do not meet; what computes is chosen, and said."""

from __future__ import annotations

import threading
from pathlib import Path

import gguf
import pytest
import torch

from labkit.clock import FakeClock
from labkit.config import EngineConfig
from labkit.engine import Engine, load
from labkit.errors import ConfigError
from labkit.model.decoder import Decoder
from labkit.model.loaded import LoadedModel
from labkit.model.weights import load_model
from labkit.sequence import SamplingParams
from tests.support.gguf_writer import Form, Packed, write_gguf
from tests.support.steps import Part, inputs_of, shuffled_slots
from tests.support.tiny import packable_config, random_tensors, tiny_model

GREEDY = SamplingParams(temperature=0.0, max_tokens=8)
ANSWERS = 50


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kernels") / "tiny.gguf"
    write_gguf(path, packable_config(), Packed(random_tensors(packable_config(), 5)))
    return path


@pytest.fixture(scope="module")
def model(source: Path, cache: Path) -> LoadedModel:
    return load_model(source, cache=cache, kernels="native")


def engine_on(model: LoadedModel, **config: object) -> Engine:
    return Engine(model, EngineConfig(num_blocks=64, **config), FakeClock())  # type: ignore[arg-type]


def answers(engine: Engine, seed: int) -> list[list[int]]:
    """Greedy answers to prompts of many lengths, none found in the cache."""
    numbers = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(ANSWERS):
        length = int(torch.randint(1, 300, (1,), generator=numbers))
        prompt = torch.randint(3, 259, (length,), generator=numbers).tolist()
        found.append([e.token_id for e in engine.stream(prompt, GREEDY)])
        engine.reset_cache()
    return found


def in_threads(*jobs: object) -> list[object]:
    """What each job gives, all begun together."""
    found: list[object] = [None] * len(jobs)
    together = threading.Barrier(len(jobs))

    def do(place: int, job: object) -> None:
        together.wait()
        found[place] = job()  # type: ignore[operator]

    threads = [threading.Thread(target=do, args=each) for each in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_two_engines_on_one_model_answer_in_two_threads_as_they_do_alone(
    model: LoadedModel,
) -> None:
    alone = [answers(engine_on(model), seed) for seed in (1, 2)]
    engines = [engine_on(model), engine_on(model)]
    both = in_threads(lambda: answers(engines[0], 1), lambda: answers(engines[1], 2))
    assert both == alone


def test_passes_without_a_runner_do_not_meet_either(model: LoadedModel) -> None:
    decoder = model.decoder

    def logits(length: int) -> torch.Tensor:
        source = torch.Generator().manual_seed(length)
        ids = torch.randint(0, 288, (length,), generator=source).tolist()
        part = Part(ids, 0, shuffled_slots(512))
        return decoder.forward(inputs_of(part), decoder.new_store(512))

    wanted = {length: logits(length) for length in (40, 200)}

    def faults(length: int) -> int:
        return sum(not torch.equal(logits(length), wanted[length]) for _ in range(40))

    assert in_threads(lambda: faults(40), lambda: faults(200)) == [0, 0]


def test_the_kernels_compute_where_they_can_and_pytorch_where_it_is_asked(
    model: LoadedModel,
) -> None:
    engines = [engine_on(model, kernels=k) for k in ("auto", "native", "torch")]
    assert [e.kernels for e in engines] == ["native", "native", "torch"]
    assert repr(engines[0]) == ("<Engine tiny: native kernels; 64 blocks>")
    assert "torch kernels" in repr(engines[2])
    assert engines[2].model.decoder.packed is None
    prompt = list(range(3, 40))
    told = [[e.token_id for e in each.stream(prompt, GREEDY)] for each in engines]
    assert told[0] == told[1] == told[2]


def test_an_engine_of_a_file_loads_what_it_asks_for(source: Path) -> None:
    engine = load(source, config=EngineConfig(kernels="torch", num_blocks=4))
    assert engine.kernels == "torch"
    assert engine.model.warnings == ()


def test_kernels_that_cannot_compute_are_refused_with_the_reason(
    model: LoadedModel,
) -> None:
    with pytest.raises(ConfigError, match="'native': tiny was loaded for PyTorch"):
        engine_on(tiny_model(), kernels="native")
    with pytest.raises(ConfigError, match="kernels='c': use auto, native, torch"):
        engine_on(model, kernels="c")


def foreign(folder: Path, kind: gguf.GGMLQuantizationType) -> Path:
    path = folder / "foreign.gguf"
    tensors = random_tensors(packable_config(), 5)
    form = Form(layer_kind=kind)
    write_gguf(path, packable_config(), Packed(tensors), form=form)
    return path


def test_a_gguf_of_other_types_says_so_with_its_cost(tmp_path: Path) -> None:
    path = foreign(tmp_path, gguf.GGMLQuantizationType.Q5_0)
    found = load_model(path, cache=tmp_path)
    num_bytes = 4 * sum(
        t.numel() for t in random_tensors(packable_config(), 5).values() if t.ndim == 2
    )
    assert found.decoder.weights.matrix_bytes == num_bytes
    assert found.warnings == (
        f"Q5_0: computed in float32 by PyTorch, about {num_bytes / 1e3:.0f} kB a token",
    )
    assert "Q5_0: computed in float32" in repr(engine_on(found))
    with pytest.raises(ConfigError, match=r"cannot compute foreign \(Q5_0\)"):
        load_model(path, cache=tmp_path, kernels="native")


def test_a_decoder_by_hand_has_pytorch() -> None:
    decoder: Decoder = tiny_model().decoder
    assert decoder.kernels == "torch"
    assert decoder.new_scratch() is None
