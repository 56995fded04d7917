"""The answers of chapter 9: values are the sums, and functions pass their cases."""

from __future__ import annotations

import pytest
import torch

from labkit.book.answers import ch09, exercise
from labkit.book.exercises import State
from labkit.book.grading import grade
from labkit.labs.sampling.bench import Bench


def nucleus(probs: list[float], heat: float, top_p: float, is_heat_first: bool) -> int:
    logits = torch.tensor(probs).log()
    knobs = {"temperature": heat, "top_p": top_p}
    views = Bench(logits).compare(knobs)  # vLLM heats first, llama.cpp last
    return views[0 if is_heat_first else 2].kept


def filtered(probs: list[float], top_k: int, top_p: float, is_joint: bool) -> int:
    views = Bench(torch.tensor(probs).log()).compare({"top_k": top_k, "top_p": top_p})
    return views[3 if is_joint else 0].kept  # SGLang judges both at once


def penalised(logits: list[float], penalty: float, shift: float) -> float:
    bench = Bench(torch.tensor(logits) + shift, prompt_ids=[0])
    return round(float(bench.probs("vllm", repetition_penalty=penalty)[0]), 3)


def plain_share(logits: list[float], penalty: float, shift: float) -> float:
    z = torch.tensor(logits) + shift
    z[0] = z[0] / penalty if z[0] > 0 else z[0] * penalty
    return float(z.softmax(dim=0)[0])


def share_without_the_sign(logits: list[float], penalty: float, shift: float) -> float:
    z = torch.tensor(logits) + shift
    z[0] = z[0] / penalty
    return float(z.softmax(dim=0)[0])


SUMS: dict[str, float] = {"9.1": 4, "9.2": 2, "9.3": 0.348}
SOLUTIONS = {"9.1": nucleus, "9.2": filtered, "9.3": penalised}


@pytest.mark.parametrize("name", [one.name for one in ch09.EXERCISES])
def test_values_are_the_sums_and_functions_pass_their_cases(name: str) -> None:
    assert grade(exercise(name), SUMS[name]).state is State.RIGHT
    assert grade(exercise(name), SOLUTIONS[name]).state is State.RIGHT


def test_a_share_need_not_be_rounded_but_its_third_place_counts() -> None:
    assert grade(exercise("9.3"), plain_share).state is State.RIGHT
    assert grade(exercise("9.3"), 0.34821).state is State.RIGHT
    assert grade(exercise("9.3"), 0.349).state is State.WRONG


def test_a_penalty_that_only_divides_is_caught_below_zero() -> None:
    result = grade(exercise("9.3"), share_without_the_sign)
    assert result.state is State.WRONG
    assert "-5.0) gave" in result.text
