"""The answers of chapter 9: values are the sums, and functions pass their cases."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from labkit.book.answers import exercise
from labkit.book.exercises import State
from labkit.book.grading import grade
from labkit.labs.sampling.bench import Bench
from labkit.labs.sampling.filter_checks import Filter


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


def top_n_sigma(logits: Tensor, n: float = 1.0) -> Tensor:
    floor = logits.amax(-1, keepdim=True) - n * logits.std(-1, keepdim=True)
    return torch.where(logits < floor, -torch.inf, logits)


def min_p(logits: Tensor) -> Tensor:
    best = logits.amax(-1, keepdim=True)
    return logits.masked_fill(logits < best + math.log(0.1), -torch.inf)


SUMS: dict[str, float] = {"9.1": 4, "9.2": 2, "9.3": 0.348}
SOLUTIONS = {"9.1": nucleus, "9.2": filtered, "9.3": penalised}


@pytest.mark.parametrize("name", list(SUMS))
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
    assert "below 0 is multiplied" in result.text


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("9.1", 3, "model's own"),
        ("9.1", 5, "all of them"),
        ("9.2", 3, "first distribution"),
        ("9.2", 1, "7/16"),
        ("9.3", 0.592, "all three logits first"),
        ("9.3", 0.705, "without a penalty"),
        ("9.3", 0.935, "above 0 it is divided"),
    ],
)
def test_a_usual_mistake_gets_its_own_hint(
    name: str, answer: float, words: str
) -> None:
    assert words in grade(exercise(name), answer).text


@pytest.mark.parametrize("keep", [top_n_sigma, min_p])
def test_more_than_one_filter_keeps_all_requirements(keep: Filter) -> None:
    assert grade(exercise("9.4"), keep).state is State.RIGHT


def in_place(logits: Tensor) -> Tensor:
    return logits.masked_fill_(min_p(logits) == -torch.inf, -torch.inf)


def sharpened(logits: Tensor) -> Tensor:
    return 2 * min_p(logits)


def above_zero(logits: Tensor) -> Tensor:
    return torch.where(logits < 0.5, -torch.inf, logits)


def of_the_whole_batch(logits: Tensor) -> Tensor:
    return torch.where(logits < logits.mean(), -torch.inf, logits)


def top_k(logits: Tensor) -> Tensor:
    worst = logits.topk(20, dim=-1).values[:, -1:]
    return torch.where(logits < worst, -torch.inf, logits)


def without_the_best(logits: Tensor) -> Tensor:
    best = logits.amax(-1, keepdim=True)
    return torch.where(logits == best, -torch.inf, logits)


def by_chance(logits: Tensor) -> Tensor:
    keep = torch.rand(logits.shape) < 0.5
    return torch.where(keep, logits, -torch.inf)


def as_a_list(logits: Tensor) -> object:
    return logits.tolist()


def one_row(logits: Tensor) -> Tensor:
    return logits[0]


@pytest.mark.parametrize(
    ("keep", "lost"),
    [
        (in_place, "Each logit"),
        (sharpened, "Each logit"),
        (above_zero, "Every row keeps its likeliest"),
        (above_zero, "A constant"),
        (of_the_whole_batch, "A row keeps the same"),
        (top_k, "A flat row"),
        (without_the_best, "Every row keeps its likeliest"),
        (by_chance, "The engine's own"),
        (as_a_list, "Each logit"),
        (one_row, "Each logit"),
    ],
)
def test_a_filter_that_breaks_a_promise_is_told_which(
    keep: Callable[[Tensor], object], lost: str
) -> None:
    result = grade(exercise("9.4"), keep)
    assert result.state is State.WRONG
    assert f"✗ {lost}" in result.text


@pytest.mark.parametrize(
    ("keep", "words"),
    [
        (lambda logits: logits > 0, "not a yes or no"),
        (lambda logits: torch.where(logits < 10, 0.0, logits), "with -torch.inf"),
    ],
)
def test_a_mask_and_a_zero_get_their_own_hints(keep: Filter, words: str) -> None:
    assert words in grade(exercise("9.4"), keep).text


@pytest.mark.parametrize("answer", [..., None])
def test_no_filter_is_an_open_exercise(answer: object) -> None:
    assert grade(exercise("9.4"), answer).state is State.OPEN
