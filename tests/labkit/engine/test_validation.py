"""What is refused before it takes a place, and in which words."""

from __future__ import annotations

import pytest

from labkit.engine.validation import refuse_misfits
from labkit.errors import InputError, NeverFits
from labkit.sequence import SamplingParams

PARAMS = SamplingParams()


def test_prompt_that_leaves_room_for_one_token_is_let_in() -> None:
    refuse_misfits([0] * 9, PARAMS, vocab_size=5, max_context=10)


def test_prompt_as_long_as_the_context_never_fits_and_hears_the_numbers() -> None:
    with pytest.raises(NeverFits, match=r"has 10 tokens.*room for 10.*to 9 or") as at:
        refuse_misfits([0] * 10, PARAMS, vocab_size=5, max_context=10)
    assert at.value.param == "messages"


@pytest.mark.parametrize(
    ("prompt", "params", "param"),
    [
        ([], PARAMS, "messages"),
        ([0, 5], PARAMS, "messages"),
        ([-1], PARAMS, "messages"),
        ([0], SamplingParams(logit_bias=((5, 1.0),)), "logit_bias"),
    ],
)
def test_bad_ids_are_refused_by_field(
    prompt: list[int], params: SamplingParams, param: str
) -> None:
    with pytest.raises(InputError) as at:
        refuse_misfits(prompt, params, vocab_size=5, max_context=10)
    assert at.value.param == param
