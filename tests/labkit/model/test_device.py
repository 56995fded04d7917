"""Devices are picked by wish and by what is here; formats follow the device."""

from __future__ import annotations

import pytest
import torch

from labkit.errors import ConfigError
from labkit.model.device import default_dtype, pick_device


def test_the_cpu_is_always_there():
    assert pick_device("cpu") == torch.device("cpu")


def test_auto_picks_cuda_then_mps_then_cpu():
    present = [
        name
        for name, is_here in (
            ("cuda", torch.cuda.is_available()),
            ("mps", torch.backends.mps.is_available()),
        )
        if is_here
    ]
    assert pick_device("auto").type == [*present, "cpu"][0]


@pytest.mark.parametrize("wish", ["gpu", "", "cpu:x"])
def test_a_word_that_is_no_device_is_refused_with_the_ones_that_are(wish):
    with pytest.raises(ConfigError, match="use auto, cuda, mps or cpu"):
        pick_device(wish)


def test_a_device_that_is_not_here_is_refused():
    with pytest.raises(ConfigError, match="not on this machine"):
        pick_device("xpu")


@pytest.mark.parametrize("name", ["mps", "cpu"])
def test_other_devices_than_cuda_compute_in_float32(name):
    assert default_dtype(torch.device(name)) == torch.float32


@pytest.mark.parametrize(
    ("card", "dtype"),
    [((7, 5), torch.float32), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)],
)
def test_a_card_computes_in_bfloat16_only_where_it_has_it(card, dtype):
    """A T4, free on Colab, is 7.5; an A100 is 8.0."""
    assert default_dtype(torch.device("cuda"), card) == dtype
