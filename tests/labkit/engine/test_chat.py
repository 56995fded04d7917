"""The model's own template, or a sentence where it has none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labkit.clock import FakeClock
from labkit.config import EngineConfig
from labkit.engine.engine import Engine
from labkit.errors import WeightsError
from tests.support.tiny import tiny_model

MODEL = tiny_model()


def engine_with(**spec: object) -> Engine:
    model = replace(MODEL, tokenizer=replace(MODEL.tokenizer, **spec))
    return Engine(model, EngineConfig(num_blocks=4), FakeClock())


def test_template_knows_the_texts_of_the_special_tokens() -> None:
    engine = engine_with(chat_template="{{ bos_token }}|{{ eos_token }}")
    assert engine.template.render([]) == "<|im_start|>|<|im_end|>"


def test_special_tokens_that_a_model_lacks_are_empty() -> None:
    source = "{{ bos_token }}|{{ eos_token }}"
    engine = engine_with(chat_template=source, bos_id=None, eos_ids=())
    assert engine.template.render([]) == "|"


def test_model_without_a_template_says_so_when_asked() -> None:
    with pytest.raises(WeightsError, match="tiny has no chat template"):
        _ = engine_with(chat_template=None).template


def test_a_template_that_cannot_be_used_is_refused_with_the_models_name() -> None:
    with pytest.raises(WeightsError, match=r"tiny: .*template cannot be used.*line 1"):
        _ = engine_with(chat_template="{% if %}").template
