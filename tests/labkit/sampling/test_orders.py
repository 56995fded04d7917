"""Each order against its column of the published vectors, to 1e-5.

The cases at an exact top-p boundary depend on float rounding: they document what these
stages do, which is what the recorded engines did.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from labkit.sampling.orders import ORDERS, STAGES
from labkit.sequence import Sequence
from tests.support.rows import rows_of, sequence

VECTORS = Path(__file__).parents[2] / "support" / "vectors" / "sampler_vectors.json"
CASES = json.loads(VECTORS.read_text())["cases"]
COLUMNS = {
    "labkit": "transformers",
    "transformers": "transformers",
    "vllm": "vllm",
    "llama_cpp": "llama_cpp",
    "sglang": "sglang_torch",
}
KNOBS = {
    "t": "temperature",
    "k": "top_k",
    "p": "top_p",
    "mp": "min_p",
    "ty": "typical_p",
    "rep": "repetition_penalty",
    "freq": "frequency_penalty",
    "pres": "presence_penalty",
}


def recorded() -> list[Any]:
    return [
        pytest.param(order, case, case[column], id=f"{order}-{case['name']}")
        for order, column in COLUMNS.items()
        for case in CASES
        if case[column] is not None
    ]


def of_case(case: dict[str, Any]) -> Sequence:
    knobs = {KNOBS[short]: value for short, value in case["params"].items()}
    return sequence(case["prompt_ids"], case["output_ids"], **knobs)


def shaped(order: str, logits: Tensor, *sequences: Sequence) -> Tensor:
    rows = rows_of(*sequences, vocab=logits.shape[1])
    for stage in ORDERS[order]:
        logits = stage.run(logits, rows)
    return logits.softmax(dim=-1)


@pytest.mark.parametrize(("order", "case", "wanted"), recorded())
def test_order_gives_the_recorded_distribution(
    order: str, case: dict[str, Any], wanted: list[float]
) -> None:
    probs = shaped(order, torch.tensor([case["logits"]]), of_case(case))
    torch.testing.assert_close(probs, torch.tensor([wanted]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("order", ORDERS)
def test_recorded_cases_share_a_batch_without_touching_each_other(order: str) -> None:
    cases = [c for c in CASES if len(c["logits"]) == 8]
    logits = torch.tensor([c["logits"] for c in cases])
    together = shaped(order, logits, *(of_case(c) for c in cases))
    for row, case in enumerate(cases):
        alone = shaped(order, logits[row : row + 1], of_case(case))
        assert torch.equal(together[row], alone[0]), case["name"]


def test_number_of_recorded_distributions_is_the_published_one() -> None:
    assert len(recorded()) == 29 + 29 + 28 + 31 + 22


def test_own_order_is_the_documented_one() -> None:
    assert [stage.name for stage in STAGES] == [
        "logit_bias",
        "repetition_penalty",
        "frequency_penalty",
        "presence_penalty",
        "temperature",
        "top_k",
        "top_p",
        "min_p",
        "typical",
    ]


def test_llama_cpp_penalties_forget_what_lies_64_tokens_back() -> None:
    history = sequence([0] + [1] * 64, repetition_penalty=2.0)
    probs = shaped("llama_cpp", torch.tensor([[1.0, 1.0, 1.0]]), history)
    assert probs[0, 0] == probs[0, 2] > probs[0, 1]
