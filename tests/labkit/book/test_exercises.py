"""Exercises: values and functions, right, wrong, open and failing."""

from __future__ import annotations

import pytest
import torch

from labkit.book.answers import EXERCISES, exercise
from labkit.book.exercises import State, grade
from labkit.errors import ConfigError
from labkit.labs.sampling.bench import Bench
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


def chunk(promise_ms: float, read_ms: float, token_ms: float, streams: int) -> int:
    fits = promise_ms >= read_ms
    return max(0, int(promise_ms / token_ms) - streams) if fits else 0


def whole_steps(shared: int, step: int, minimum: int) -> int:
    return shared - shared % step if shared >= minimum else 0


SUMS |= {"7.1": 2 * 28 * 4 * 128, "7.2": 21 * 32, "7.3": 103}
SOLUTIONS |= {
    "7.1": lambda layers, heads, dim, size: 2 * layers * heads * dim * size,
    "7.2": whole_steps,
    "7.3": lambda memory, weights, token, n: int((0.9 * memory - weights) / token / n),
}
SUMS |= {"8.1": 295, "8.2": 3.35, "8.3": 50 / 0.5 - 4}
SOLUTIONS |= {
    "8.1": lambda flop, rate: round(flop / rate),
    "8.2": lambda n, size, rate: round(1000 * n * size / rate, 2),
    "8.3": chunk,
}
SUMS |= {"9.1": 4, "9.2": 2, "9.3": 0.348}
SOLUTIONS |= {"9.1": nucleus, "9.2": filtered, "9.3": penalised}


@pytest.mark.parametrize("name", [e.name for e in EXERCISES])
def test_values_are_the_sums_and_functions_pass_their_cases(name: str) -> None:
    assert grade(exercise(name), SUMS[name]).state is State.RIGHT
    assert grade(exercise(name), SOLUTIONS[name]).state is State.RIGHT


def test_sequences_in_parts_are_told_that_whole_ones_count() -> None:
    result = grade(exercise("7.3"), lambda m, w, token, n: (0.9 * m - w) / token / n)
    assert result.state is State.WRONG
    assert "a part of a sequence does not count" in str(result)


def plain_share(logits: list[float], penalty: float, shift: float) -> float:
    z = torch.tensor(logits) + shift
    z[0] = z[0] / penalty if z[0] > 0 else z[0] * penalty
    return float(z.softmax(dim=0)[0])


def share_without_the_sign(logits: list[float], penalty: float, shift: float) -> float:
    z = torch.tensor(logits) + shift
    z[0] = z[0] / penalty
    return float(z.softmax(dim=0)[0])


def test_a_share_need_not_be_rounded_but_its_third_place_counts() -> None:
    assert grade(exercise("9.3"), plain_share).state is State.RIGHT
    assert grade(exercise("9.3"), 0.34821).state is State.RIGHT
    assert grade(exercise("9.3"), 0.349).state is State.WRONG


def test_a_penalty_that_only_divides_is_caught_below_zero() -> None:
    result = grade(exercise("9.3"), share_without_the_sign)
    assert result.state is State.WRONG
    assert "-5.0) gave" in result.text


def test_milliseconds_may_come_unrounded_and_seconds_may_not() -> None:
    assert grade(exercise("8.2"), lambda n, b, w: 1000 * n * b / w).state is State.RIGHT
    text = grade(exercise("8.2"), lambda n, b, w: n * b / w).text
    assert "in milliseconds, rounded to two places" in text


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
