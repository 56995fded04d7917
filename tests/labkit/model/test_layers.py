"""Norm, rotary and gating against numbers worked out by hand or by another formula."""

from __future__ import annotations

import math

import torch

from labkit.model.layers import Rotary, rms_norm, rotary, swiglu
from labkit.weights.frequencies import inverse_frequencies
from tests.support.tiny import tiny_config

CPU = torch.device("cpu")


def test_rms_norm_divides_by_the_root_mean_square():
    x = torch.tensor([[3.0, 4.0, 0.0, 0.0]])  # mean of squares 6.25, root 2.5
    got = rms_norm(x, torch.tensor([1.0, 1.0, 1.0, 2.0]), eps=0.0)
    torch.testing.assert_close(got, torch.tensor([[1.2, 1.6, 0.0, 0.0]]))


def test_rms_norm_of_zeros_is_zeros_thanks_to_eps():
    assert rms_norm(torch.zeros(1, 4), torch.ones(4), eps=1e-5).tolist() == [[0] * 4]


def test_rms_norm_keeps_the_number_format():
    x = torch.ones(1, 4, dtype=torch.bfloat16)
    assert rms_norm(x, x[0], eps=1e-5).dtype is torch.bfloat16


def test_swiglu_gates_one_projection_by_another():
    one = torch.ones(1, 1)
    got = swiglu(torch.tensor([[2.0]]), gate=one, up=3 * one, down=5 * one)
    silu = 2 / (1 + math.exp(-2))
    torch.testing.assert_close(got, torch.tensor([[silu * 6 * 5]]))


def test_rotary_turns_the_first_pair_by_one_radian_a_position():
    frequencies = torch.tensor([1.0, 0.01])
    turn = Rotary.at(torch.tensor([2]), frequencies)
    got = rotary(torch.tensor([[[1.0, 0.0, 0.0, 0.0]]]), turn)
    wanted = torch.tensor([[[math.cos(2), 0.0, math.sin(2), 0.0]]])
    torch.testing.assert_close(got, wanted)


def test_rotary_products_depend_on_the_distance_only():
    frequencies = inverse_frequencies(tiny_config(), CPU)
    source = torch.Generator().manual_seed(0)
    query, key = torch.randn(2, 1, 1, 8, generator=source)

    def product(at_query: int, at_key: int) -> float:
        turned = [
            rotary(x, Rotary.at(torch.tensor([place]), frequencies))
            for x, place in ((query, at_query), (key, at_key))
        ]
        return float((turned[0] * turned[1]).sum())

    assert math.isclose(product(3, 1), product(103, 101), abs_tol=1e-4)
    assert not math.isclose(product(3, 1), product(3, 2), abs_tol=1e-2)
