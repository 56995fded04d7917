"""The whole pipeline on a device that has no float64, as Apple's MPS."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from labkit.records import StageView
from labkit.sampling.orders import ORDERS
from labkit.sampling.pipeline import Sampled, SamplingRows, sample
from tests.support.no_float64 import DEVICE, DeviceTensor, Pretended
from tests.support.rows import sequence

KNOBS: list[dict[str, Any]] = [
    {"temperature": 0.0},
    {"top_p": 0.9},
    {"top_p": 0.3, "temperature": 1.7},
    {"typical_p": 0.5},
    {"top_k": 5, "min_p": 0.1},
    {"repetition_penalty": 1.3, "frequency_penalty": 0.4, "presence_penalty": -0.2},
    {"logit_bias": ((5, 3.0), (7, -100.0)), "top_logprobs": 3},
]


def sampled_on(
    device: torch.device, logits: torch.Tensor, order: str
) -> tuple[Sampled, list[StageView]]:
    """What each row of `KNOBS` gets, and what an observer is shown."""
    views: list[StageView] = []
    sequences = [
        sequence([1, 2, 3], [3, 4], name=f"r{place}", seed=place, **knobs)
        for place, knobs in enumerate(KNOBS)
    ]
    rows = SamplingRows.build(sequences, logits.shape[1], device)
    found = sample(logits, rows, lambda _, view: views.append(view), ORDERS[order])
    return found, views


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("spread", [0.02, 3.0], ids=["flat", "steep"])
def test_device_without_float64_gives_what_the_cpu_gives(
    order: str, spread: float
) -> None:
    source = torch.Generator().manual_seed(3)
    logits = torch.randn(len(KNOBS), 3000, generator=source) * spread
    expected, expected_views = sampled_on(torch.device("cpu"), logits, order)
    with Pretended():
        on_device = logits.as_subclass(DeviceTensor)
        found, views = sampled_on(DEVICE, on_device, order)
    assert found == expected
    assert views == expected_views


def test_the_device_refuses_what_a_real_one_refuses() -> None:
    with Pretended():
        values = torch.ones(3, device=DEVICE)
        assert values.device.type == (values + 1).device.type == "mps"
        assert values.cpu().double().sum() == 3
        for wrong in (
            lambda: values.sum(dtype=torch.float64),
            values.double,
            lambda: torch.ones(3, dtype=torch.float64, device=DEVICE),
            values.numpy,
        ):
            with pytest.raises(TypeError):
                wrong()
        with pytest.raises(RuntimeError, match="same device"):
            values + torch.ones(3)
