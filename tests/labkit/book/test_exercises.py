"""Exercises: values and functions, right, wrong, open and failing."""

from __future__ import annotations

import pytest
import torch

from labkit.book.answers import EXERCISES, exercise
from labkit.book.bench import Bench
from labkit.book.exercises import State, grade
from labkit.errors import ConfigError
from labkit.text.detokenizer import StreamDetokenizer

# The sums behind the values: facts, section 10.
SUMS = {"10.1": 0.8 + 0.02 * (101 - 1), "10.2": 85 - 46, "10.3": 200 * 201 / 2}


def end_to_end(ttft_s: float, tokens: int, tpot_s: float) -> float:
    return ttft_s + tpot_s * (tokens - 1)


def events(pieces: list[bytes]) -> int:
    detokenizer = StreamDetokenizer(pieces.__getitem__)
    return sum(bool(detokenizer.feed(i)) for i in range(len(pieces)))


SOLUTIONS = {"10.1": end_to_end, "10.2": events, "10.3": lambda n: n * (n + 1) // 2}


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


def tokens_a_pass(chance: float, ahead: int) -> float:
    return (1 - chance ** (ahead + 1)) / (1 - chance)


def whole_steps(shared: int, step: int, minimum: int) -> int:
    return shared - shared % step if shared >= minimum else 0


SUMS |= {"7.1": 2 * 30 * 3 * 64 * 2, "7.2": 33 * 16, "7.3": 52}
SOLUTIONS |= {
    "7.1": lambda layers, heads, dim, size: 2 * layers * heads * dim * size,
    "7.2": whole_steps,
    "7.3": lambda memory, weights, token, n: int((0.9 * memory - weights) / token / n),
}
SUMS |= {"8.1": 295, "8.2": 3.35, "8.3": 1 + 0.8 + 0.64 + 0.512 + 0.4096}
SOLUTIONS |= {
    "8.1": lambda flop, rate: round(flop / rate),
    "8.2": lambda n, size, rate: round(1000 * n * size / rate, 2),
    "8.3": tokens_a_pass,
}
SUMS |= {"9.1": 3, "9.2": 1, "9.3": 0.131}
SOLUTIONS |= {"9.1": nucleus, "9.2": filtered, "9.3": penalised}


@pytest.mark.parametrize("name", [e.name for e in EXERCISES])
def test_values_are_the_sums_and_functions_pass_their_cases(name: str) -> None:
    assert grade(exercise(name), SUMS[name]).state is State.RIGHT
    assert grade(exercise(name), SOLUTIONS[name]).state is State.RIGHT


@pytest.mark.parametrize("answer", [2.0, "2.8", True, [2.8], object(), float("nan")])
def test_a_wrong_answer_gets_the_hint(answer: object) -> None:
    result = grade(exercise("10.1"), answer)
    assert result.state is State.WRONG
    assert "Hint: the first token costs TTFT" in str(result)


@pytest.mark.parametrize("answer", [None, ..., lambda n: None, lambda n: ...])
def test_an_unwritten_answer_is_open(answer: object) -> None:
    assert grade(exercise("10.3"), answer).state is State.OPEN


def test_a_wrong_function_is_told_the_first_case_it_misses() -> None:
    def square(n: int) -> int:
        return n * n

    assert "square(3) gave 9, expected 6" in grade(exercise("10.3"), square).text


def test_a_failing_function_is_a_sentence() -> None:
    def broken(n: int) -> float:
        return n / 0

    text = grade(exercise("10.3"), broken).text
    assert "broken(1) raised ZeroDivisionError: division by zero" in text


def test_a_long_argument_is_shortened() -> None:
    result = grade(exercise("10.2"), lambda pieces: -1)
    assert len(result.text) < 250


def test_an_unknown_exercise_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"did you mean 10\.\d"):
        exercise("10.9")
