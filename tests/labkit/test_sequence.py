"""Sampling knobs are checked by name; a sequence counts what it knows and computed."""

from __future__ import annotations

import math
from typing import Any

import pytest

from labkit.errors import InputError
from labkit.sequence import (
    MAX_BIASES,
    FinishReason,
    SamplingParams,
    Sequence,
    SequenceState,
)


def sequence(output: list[int] | None = None, num_computed: int = 0) -> Sequence:
    """A sequence with the prompt 10, 11, 12."""
    made = Sequence("r1", (10, 11, 12), SamplingParams(), arrival_s=0.0)
    made.output_ids = output or []
    made.num_computed = num_computed
    return made


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_tokens": 0},
        {"stop": ("a", "")},
        {"top_logprobs": -1},
        {"top_logprobs": 21},
        {"temperature": -0.1},
        {"temperature": math.nan},
        {"temperature": math.inf},
        {"top_k": 0},
        {"top_p": -0.1},
        {"top_p": 1.1},
        {"min_p": -0.1},
        {"min_p": 1.1},
        {"typical_p": -0.1},
        {"typical_p": 1.1},
        {"repetition_penalty": 0.0},
        {"repetition_penalty": math.inf},
        {"frequency_penalty": math.nan},
        {"presence_penalty": math.inf},
        {"logit_bias": ((-1, 1.0),)},
        {"logit_bias": ((3, math.inf),)},
    ],
    ids=str,
)
def test_a_knob_out_of_range_is_refused_by_name(wrong: dict[str, Any]) -> None:
    name = next(iter(wrong))
    with pytest.raises(InputError, match=f"^{name}=") as caught:
        SamplingParams(**wrong)
    assert caught.value.param == name


@pytest.mark.parametrize(
    "edge",
    [
        {"max_tokens": 1},
        {"temperature": 0.0},
        {"top_k": 1},
        {"top_p": 1.0},
        {"min_p": 1.0},
        {"top_logprobs": 0},
        {"top_logprobs": 20},
        {"logit_bias": ((0, -100.0),)},
        {"stop": ("\n",)},
    ],
    ids=str,
)
def test_a_knob_at_its_limit_is_allowed(edge: dict[str, Any]) -> None:
    assert SamplingParams(**edge) != SamplingParams(seed=1)


def test_a_new_sequence_is_all_prefill() -> None:
    new = sequence()
    assert (new.num_tokens, new.num_uncomputed, new.is_prefilling) == (3, 3, True)


def test_a_chunk_of_prefill_leaves_the_rest_open() -> None:
    half = sequence(num_computed=2)
    assert (half.num_uncomputed, half.is_prefilling) == (1, True)


def test_decoding_has_one_open_token() -> None:
    decoding = sequence(output=[20], num_computed=3)
    assert (decoding.num_uncomputed, decoding.is_prefilling) == (1, False)


@pytest.mark.parametrize(
    ("start", "end", "ids"),
    [
        (0, 2, [10, 11]),
        (1, 4, [11, 12, 20]),
        (3, 5, [20, 21]),
        (4, 5, [21]),
        (2, 2, []),
    ],
)
def test_ids_between_runs_over_prompt_and_output(
    start: int, end: int, ids: list[int]
) -> None:
    assert sequence(output=[20, 21]).ids_between(start, end) == ids


def test_ending_sets_state_and_reason() -> None:
    ended = sequence()
    ended.end(FinishReason.STOP)
    assert (ended.is_finished, ended.finish) == (True, FinishReason.STOP)


def test_a_second_reason_never_replaces_the_first() -> None:
    ended = sequence()
    ended.end(FinishReason.STOP)
    with pytest.raises(AssertionError, match="already ended: stop"):
        ended.end(FinishReason.ABORT)


def test_check_accepts_a_live_and_a_finished_sequence() -> None:
    live = sequence(output=[20], num_computed=3)
    live.check()
    live.num_computed = 4
    live.end(FinishReason.LENGTH)
    live.check()


def test_check_finds_a_negative_count() -> None:
    with pytest.raises(AssertionError, match="negative num_computed"):
        sequence(num_computed=-1).check()


def test_check_finds_a_live_sequence_with_nothing_left_open() -> None:
    with pytest.raises(AssertionError, match="the newest must still be open"):
        sequence(num_computed=3).check()


def test_check_finds_a_finish_without_a_reason() -> None:
    broken = sequence()
    broken.state = SequenceState.FINISHED
    with pytest.raises(AssertionError):
        broken.check()


def test_biases_are_bounded_in_number() -> None:
    biases = tuple((token_id, 1.0) for token_id in range(MAX_BIASES + 1))
    assert SamplingParams(logit_bias=biases[1:]).logit_bias == biases[1:]
    with pytest.raises(
        InputError, match="has 1025 entries: use at most 1024"
    ) as caught:
        SamplingParams(logit_bias=biases)
    assert caught.value.param == "logit_bias"
