"""Parameters are picked by name, checked by shape and never copied."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from labkit.errors import WeightsError
from labkit.weights.parameters import ModelWeights, tensor_shapes
from tests.support.tiny import random_tensors, tiny_config


def test_a_tied_head_is_the_embedding_itself():
    tensors = random_tensors(tiny_config(), 0)
    weights = ModelWeights.from_tensors(tiny_config(), tensors)
    assert weights.head is weights.embedding
    assert weights.embedding is tensors["model.embed_tokens.weight"]


def test_an_untied_head_is_its_own_tensor():
    config = replace(tiny_config(), is_tied=False)
    tensors = random_tensors(config, 0)
    assert ModelWeights.from_tensors(config, tensors).head is tensors["lm_head.weight"]


@pytest.mark.parametrize("name", tensor_shapes(tiny_config(num_layers=1)))
def test_a_missing_tensor_is_named(name):
    tensors = random_tensors(tiny_config(num_layers=1), 0)
    del tensors[name]
    with pytest.raises(WeightsError, match=name):
        ModelWeights.from_tensors(tiny_config(num_layers=1), tensors)


def test_a_wrong_shape_is_named_with_both_shapes():
    tensors = random_tensors(tiny_config(), 0)
    tensors["model.norm.weight"] = torch.ones(31)
    with pytest.raises(WeightsError, match=r"model\.norm\.weight.*\(31,\).*\(32,\)"):
        ModelWeights.from_tensors(tiny_config(), tensors)
