"""The real model's tokenizer and chat template, built once a session."""

from __future__ import annotations

from pathlib import Path

import pytest
from platformdirs import user_cache_path

from labkit.records import TokenizerSpec
from labkit.text.template import ChatTemplate
from labkit.text.tokenizer import Tokenizer
from labkit.weights.parsed import open_parsed


@pytest.fixture(scope="session")
def tokenizer_spec(weights: Path) -> TokenizerSpec:
    return open_parsed(weights, user_cache_path("labkit")).tokenizer


@pytest.fixture(scope="session")
def tokenizer(tokenizer_spec: TokenizerSpec) -> Tokenizer:
    return Tokenizer.from_spec(tokenizer_spec)


@pytest.fixture(scope="session")
def template(tokenizer_spec: TokenizerSpec) -> ChatTemplate:
    assert tokenizer_spec.chat_template is not None
    return ChatTemplate(tokenizer_spec.chat_template)
