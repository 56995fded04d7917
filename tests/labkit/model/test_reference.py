"""The slow truth: greedy, causal, and right about the book's one request."""

from __future__ import annotations

import pytest
import torch

from labkit.errors import InputError
from labkit.model import reference
from labkit.text.tokenizer import Tokenizer
from tests.support.oracle import transformers_greedy, transformers_model
from tests.support.prompts import greedy_prompts
from tests.support.tiny import tiny_model

BOOK_PROMPT = (
    "<|im_start|>system\nYou are a careful assistant.<|im_end|>\n"
    '<|im_start|>user\nHow many r\'s are in "strawberry"? 🍓<|im_end|>\n'
    "<|im_start|>assistant\n"
)


def test_each_token_is_the_largest_logit_after_those_before_it():
    decoder, prompt = tiny_model().decoder, [9, 8, 7]
    output = reference.generate(decoder, prompt, 12)
    for place, token in enumerate(output):
        row = reference.logits(decoder, prompt + output[:place])[-1]
        assert token == int(row.argmax())


def test_later_tokens_do_not_change_earlier_logits():
    decoder, ids = tiny_model().decoder, list(range(20, 40))
    short, long = reference.logits(decoder, ids[:8]), reference.logits(decoder, ids)
    torch.testing.assert_close(short, long[:8], atol=1e-5, rtol=0)


def test_an_end_token_is_given_and_is_the_last():
    decoder = tiny_model().decoder
    output = reference.generate(decoder, [5, 6], 20)
    end = output[4]
    assert (
        reference.generate(decoder, [5, 6], 20, {end})
        == output[: output.index(end) + 1]
    )


def test_is_greedy_accepts_the_greedy_output_and_no_other():
    decoder, prompt = tiny_model().decoder, [30, 31]
    output = reference.generate(decoder, prompt, 10)
    assert reference.is_greedy(decoder, prompt, output)
    assert reference.is_greedy(decoder, prompt, [])
    for place, token in enumerate(output):
        other = [*output[:place], (token + 1) % 288, *output[place + 1 :]]
        assert not reference.is_greedy(decoder, prompt, other)


def test_an_empty_prompt_is_refused():
    with pytest.raises(InputError, match="empty"):
        reference.generate(tiny_model().decoder, [], 4)


def test_the_books_request_has_34_tokens_and_the_answer_the_book_prints(smollm2):
    tokenizer = Tokenizer.from_spec(smollm2.tokenizer)
    prompt = tokenizer.encode(BOOK_PROMPT, allow_special=True)
    eos = smollm2.tokenizer.eos_ids
    output = reference.generate(smollm2.decoder, prompt, 16, eos)
    assert len(prompt) == 34
    assert tokenizer.decode(output) == 'The answer is "1" (1).'
    assert output[-1] in eos


def test_transformers_generates_the_same_from_the_real_weights(smollm2):
    encode = Tokenizer.from_spec(smollm2.tokenizer).encode
    prompts = [ids for ids in greedy_prompts(encode) if len(ids) == 12][::5]
    oracle = transformers_model(smollm2)
    for prompt, output in zip(
        prompts, transformers_greedy(oracle, prompts, 12), strict=True
    ):
        assert reference.is_greedy(smollm2.decoder, prompt, output)
