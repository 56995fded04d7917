"""A prompt in parts has the logits that it has whole, to rounding."""

from __future__ import annotations

import pytest
import torch

from labkit.errors import InputError
from labkit.labs.compute.passes import last_logits
from labkit.model import reference
from tests.support.engines import HELLO
from tests.support.tiny import tiny_model

DECODER = tiny_model().decoder


@pytest.mark.parametrize("parts", [[10], [4, 4, 2], [1] * 10, [9, 1]])
def test_parts_agree_with_the_slow_truth(parts) -> None:
    want = reference.logits(DECODER, HELLO)[-1]
    assert torch.allclose(last_logits(DECODER, HELLO, parts), want, atol=1e-4)


@pytest.mark.parametrize("parts", [[], [4], [10, 0], [11]])
def test_parts_that_do_not_fit_are_refused(parts) -> None:
    with pytest.raises(InputError, match="do not add up to 10 tokens"):
        last_logits(DECODER, HELLO, parts)
