"""A Hugging Face directory of each family gives the logits that transformers gives."""

from __future__ import annotations

import pytest
import torch

from labkit.model import reference
from labkit.model.weights import load_model
from tests.support.families import FAMILIES, write_family
from tests.support.steps import forward_all, shuffled_slots

IDS = torch.randint(3, 288, (40,), generator=torch.Generator().manual_seed(7)).tolist()


@pytest.fixture(scope="module", params=FAMILIES)
def pair(request, tmp_path_factory):
    """(transformers' logits for IDS, our model of the same directory)"""
    folder = tmp_path_factory.mktemp(request.param)
    oracle = write_family(request.param, folder)
    with torch.inference_mode():
        wanted = oracle(torch.tensor([IDS])).logits[0]
    return wanted, load_model(folder, device="cpu")


def test_prefill_and_decode_through_shuffled_slots_equal_transformers(pair):
    wanted, model = pair
    got = forward_all(model.decoder, IDS, 24, shuffled_slots(64))
    assert wanted.std() > 0.5  # logits that differ, so that equality says something
    torch.testing.assert_close(got, wanted[23:], atol=1e-4, rtol=0)


def test_the_reference_equals_transformers(pair):
    wanted, model = pair
    got = reference.logits(model.decoder, IDS)
    torch.testing.assert_close(got, wanted, atol=1e-4, rtol=0)
