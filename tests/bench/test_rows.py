"""Every row runs on a tiny model in this process; what it measured is not looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import torch

from labkit.model.reference import logits
from tests.bench import rows, rows_more
from tests.bench.contenders.judge import Judge, distance
from tests.bench.contenders.machine import Machine
from tests.bench.contenders.ours import Ours
from tests.bench.contenders.passes import paged_slots
from tests.bench.record import Record
from tests.bench.rows import SMALL, Bench, in_turn
from tests.bench.texts import Prompts
from tests.support.tiny import tiny_model


class TinyOurs(Ours):
    """The engine on the tiny model."""

    def __init__(self) -> None:
        self._model = tiny_model()
        self._engines = {}


class TinyJudge(Judge):
    """The reference on the same tiny model."""

    def __init__(self) -> None:
        self._decoder = tiny_model().decoder
        self._truth = {}


@dataclass
class Here:
    """A team without processes; llama.cpp is away, ours stands in for transformers."""

    members: dict[str, Any] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        return name in self.members

    def ask(self, name: str, verb: str, *arguments: Any) -> Any:
        return getattr(self.members[name], verb)(*arguments)

    def dismiss(self, name: str) -> None:
        assert name != "ours", "ours is needed to the end"


@pytest.fixture
def bench() -> Bench:
    ours, machine = TinyOurs(), Machine("", torch.get_num_threads(), num_values=1024)
    members = {"ours": ours, "transformers": ours, "judge": TinyJudge()}
    team: Any = Here({**members, "machine": machine})
    return Bench(team, Record(2, ()), TinyPrompts(ours.encode), 2, lambda: None, SMALL)


class TinyPrompts(Prompts):
    """Prompts within the tiny vocabulary."""

    def fresh(self, length: int) -> list[int]:
        """The same, folded."""
        return [token % 256 + 3 for token in super().fresh(length)]


@pytest.mark.parametrize(
    ("row", "keys"),
    [
        (rows.roofs, []),
        (rows.decode, ["decode_vs_transformers", "decode_of_roof"]),
        (rows.prefill, []),
        (rows.batch8, ["batch8_vs_batch1"]),
        (rows.paged, ["paged_vs_contiguous"]),
        (rows.prefix, ["prefix_hit_ttft"]),
        (rows.spec, ["spec_copy", "spec_free"]),
    ],
)
def test_a_row_has_samples_of_every_round(
    bench: Bench, row: Any, keys: list[str]
) -> None:
    row(bench)
    assert sorted(bench.record.ratios) == sorted(keys)
    assert bench.record.figures
    for found in [
        *bench.record.ratios.values(),
        *(f.samples for f in bench.record.figures),
    ]:
        assert len(found) >= 2
        assert min(found) > 0


def test_without_llama_cpp_its_rows_are_noted_not_invented(bench: Bench) -> None:
    rows.prefill(bench)
    assert bench.record.notes == ["llama.cpp: not measured, it is not installed"]
    assert bench.record.ratio("prefill_vs_llama_cpp") is None


def test_contenders_take_turns_after_one_round_unmeasured(bench: Bench) -> None:
    seen: list[str] = []

    def call(name: str) -> float:
        seen.append(name)
        return float(len(seen))

    found = in_turn(bench, {name: partial(call, name) for name in "AB"})
    assert found == {"A": [3.0, 5.0], "B": [4.0, 6.0]}
    assert "".join(seen) == "ABABAB"


def test_quality_of_the_plain_path_is_the_references_own(bench: Bench) -> None:
    rows_more.quality(bench)
    found = bench.record.quality
    assert found["positions"] == SMALL.windows * SMALL.window
    assert found["mean_kl"] < 1e-6
    assert found["greedy_agreement"] == 1.0


def test_a_distance_is_summed_kl_and_rows_with_one_best() -> None:
    wanted = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    found = torch.log(torch.tensor([[0.25, 0.75], [0.9, 0.1]]))
    kl, same = distance(wanted[:1], found[:1])
    assert kl == pytest.approx(0.5 * math.log(4 / 3), abs=1e-6)
    assert same == 0
    assert distance(wanted, wanted) == (0.0, 2)


def test_a_decode_counts_the_tokens_after_the_first() -> None:
    found = TinyOurs().decode([[5, 6, 7], [8, 9, 10]], 4)
    assert found["tokens"] == 2 * 3
    assert [len(output) for output in found["outputs"]] == [4, 4]


def test_paged_and_contiguous_steps_see_the_same_tokens() -> None:
    assert sorted(paged_slots(64)) == list(range(64))
    assert paged_slots(64) != list(range(64))


def test_logits_one_token_a_pass_are_the_references(tmp_path: Any) -> None:
    import numpy as np

    ours, path = TinyOurs(), str(tmp_path / "logits.npy")
    ours.logits([[5, 6, 7]], path)
    wanted = logits(ours._model.decoder, [5, 6, 7])
    assert torch.allclose(torch.tensor(np.load(path)[0]), wanted, atol=1e-4)


def test_a_profile_names_stages_functions_and_operations() -> None:
    text = TinyOurs().profile([5, 6, 7])
    for word in ("plan and compute", ".py: ", "aten::", "all else", "a step"):
        assert word in text
