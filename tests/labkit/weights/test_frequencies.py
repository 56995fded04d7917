"""Rotary frequencies against numbers worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from labkit.config import RopeScaling
from labkit.weights.frequencies import inverse_frequencies
from tests.support.tiny import tiny_config

CPU = torch.device("cpu")


def test_frequencies_fall_from_one_by_a_constant_ratio():
    got = inverse_frequencies(tiny_config(), CPU)  # theta 10,000, d 8
    torch.testing.assert_close(got, torch.tensor([1.0, 0.1, 0.01, 0.001]))


def test_llama3_scaling_keeps_fast_pairs_and_slows_slow_ones():
    scaling = RopeScaling(8.0, 1.0, 4.0, original_max_context=628)  # 628 ≈ 200π
    config = replace(tiny_config(), rope_scaling=scaling)
    plain, scaled = (
        inverse_frequencies(tiny_config(), CPU),
        inverse_frequencies(config, CPU),
    )
    turns = (628 * plain / (2 * math.pi)).tolist()  # about 100, 10, 1 and 0.1
    ratios = (plain / scaled).tolist()
    assert turns[1] > 4
    assert math.isclose(ratios[0], 1.0)
    assert math.isclose(ratios[1], 1.0)
    assert math.isclose(ratios[3], 8.0, rel_tol=1e-6)
