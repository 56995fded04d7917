"""The real model: greedy equal to two other implementations, sampling to itself alone.

100 prompts of 64 tokens each in batches of up to 32 on the CPU: in float32 every token
is theirs; over 4-bit blocks, with tokens of 16 bits, it is one that they like as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest
import torch

from labkit.clock import FakeClock
from labkit.config import EngineConfig
from labkit.engine.engine import Engine
from labkit.model import reference
from labkit.model.loaded import LoadedModel
from labkit.sequence import SamplingParams
from tests.support.engines import drain, events_of, knobs, tokens_of
from tests.support.oracle import transformers_greedy, transformers_model
from tests.support.prompts import LENGTHS, greedy_prompts

pytestmark = pytest.mark.weights

NUM_TOKENS = 64
NEAR = 0.01  # of logits that spread by 6: closer than this, 16 bits may choose either
GREEDY = knobs(max_tokens=NUM_TOKENS, temperature=0.0)
Judge = Callable[[list[int], list[int]], tuple[list[int], list[float]]]


def engine_on(model: LoadedModel) -> Engine:
    return Engine(model, EngineConfig(max_waiting=100), FakeClock())


@pytest.fixture(scope="module", autouse=True)
def threads() -> Iterator[None]:
    """The real model is worth two threads, unlike the tiny ones of this folder."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def prompts(smollm2: LoadedModel) -> list[list[int]]:
    return greedy_prompts(engine_on(smollm2).tokenizer.encode)


def all_answers(model: LoadedModel, prompts: list[list[int]]) -> list[list[int]]:
    """An engine's greedy answers, all requests queued at once."""
    engine = engine_on(model)
    names = [engine.add(prompt, GREEDY) for prompt in prompts]
    reports = drain(engine)
    assert max(report.num_running for report in reports) == 32
    tokens = tokens_of(reports)
    return [[t for t in tokens[name] if t is not None] for name in names]


@pytest.fixture(scope="module")
def answers(smollm2_float32: LoadedModel, prompts: list[list[int]]) -> list[list[int]]:
    """What the engine answers in float32."""
    return all_answers(smollm2_float32, prompts)


@pytest.fixture(scope="module")
def judge(smollm2: LoadedModel) -> Judge:
    """The reference's best token at each place of an answer, given those before it.

    And by how much its logit is above that of the answer's own token. One pass; an
    answer that two tests ask about is computed once.
    """

    @cache
    def of(
        prompt: tuple[int, ...], answer: tuple[int, ...]
    ) -> tuple[list[int], list[float]]:
        rows = reference.logits(smollm2.decoder, [*prompt, *answer[:-1]])
        rows = rows[len(prompt) - 1 :]
        taken = rows.gather(1, torch.tensor(answer)[:, None])[:, 0]
        return rows.argmax(-1).tolist(), (rows.amax(-1) - taken).tolist()

    return lambda prompt, answer: of(tuple(prompt), tuple(answer))


def test_greedy_is_the_references_choice_for_100_prompts(
    prompts: list[list[int]], answers: list[list[int]], judge: Judge
) -> None:
    """By induction: each token is the reference's best, given those before it."""
    assert len(answers) == 100
    for prompt, answer in zip(prompts, answers, strict=True):
        assert len(answer) == NUM_TOKENS
        assert judge(prompt, answer)[0] == answer, prompt


def test_with_16_bits_a_token_is_the_references_best_or_as_good(
    smollm2: LoadedModel, prompts: list[list[int]], judge: Judge
) -> None:
    """By induction, too: given the tokens before it, each is at most `NEAR` behind."""
    assert smollm2.decoder.packed is not None
    num_other = 0
    for prompt, answer in zip(prompts, all_answers(smollm2, prompts), strict=True):
        assert len(answer) == NUM_TOKENS
        _, distances = judge(prompt, answer)
        assert max(distances) < NEAR, prompt
        num_other += sum(distance > 0 for distance in distances)
    assert num_other <= 10  # of 6,400 tokens


@pytest.mark.parametrize("number", [0, 98])
def test_greedy_equals_the_references_own_answer(
    smollm2: LoadedModel,
    prompts: list[list[int]],
    answers: list[list[int]],
    number: int,
) -> None:
    wanted = reference.generate(smollm2.decoder, prompts[number], NUM_TOKENS)
    assert answers[number] == wanted


def test_greedy_equals_transformers_token_for_token_on_100_prompts(
    smollm2: LoadedModel, prompts: list[list[int]], answers: list[list[int]]
) -> None:
    other, num_compared = transformers_model(smollm2), 0
    for length in LENGTHS:
        places = [i for i, prompt in enumerate(prompts) if len(prompt) == length]
        wanted = transformers_greedy(other, [prompts[i] for i in places], NUM_TOKENS)
        assert [answers[i] for i in places] == wanted
        num_compared += len(places)
    assert num_compared == 100


def test_sampled_text_is_the_same_alone_and_in_a_batch_of_eight(
    smollm2: LoadedModel, prompts: list[list[int]]
) -> None:
    def texts(chosen: list[int]) -> list[str]:
        engine = engine_on(smollm2)
        for i in chosen:
            params = SamplingParams(
                max_tokens=24, temperature=0.6 + 0.1 * i, top_p=0.95, seed=i
            )
            engine.add(prompts[i], params, request=str(i))
        found = events_of(drain(engine))
        return ["".join(event.text for event in found[str(i)]) for i in chosen]

    together = texts([*range(8)])
    assert together == [texts([i])[0] for i in range(8)]
    assert len(set(together)) == 8


def answers_of(
    engine: Engine, prompts: list[list[int]], num_tokens: int
) -> tuple[list[list[int]], int]:
    """Greedy answers to `prompts` together, and how often one was thrown out."""
    params = knobs(max_tokens=num_tokens, temperature=0.0)
    names = [engine.add(prompt, params) for prompt in prompts]
    reports = drain(engine)
    found = tokens_of(reports)
    tokens = [[t for t in found[name] if t is not None] for name in names]
    return tokens, sum(len(report.preempted) for report in reports)


def test_cached_and_thrown_out_answers_equal_the_cold_ones(
    smollm2: LoadedModel, prompts: list[list[int]]
) -> None:
    """Four prompts: cold, on too few blocks, and again with half the answer known."""
    some, engine = prompts[:4], engine_on(smollm2)
    cold, _ = answers_of(engine, some, 40)
    tight = Engine(smollm2, EngineConfig(num_blocks=9), FakeClock())
    squeezed, num_thrown_out = answers_of(tight, some, 40)
    assert (squeezed, num_thrown_out > 0) == (cold, True)
    known = [prompt + answer[:24] for prompt, answer in zip(some, cold, strict=True)]
    again, _ = answers_of(engine, known, 16)
    assert again == [answer[24:] for answer in cold]
    hits = sum((len(ids) - 1) // 16 * 16 for ids in known)
    assert engine.cache_stats().hit_tokens == hits > 0
