"""`load` gives an engine from a file of weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.config import EngineConfig
from labkit.engine.load import load
from labkit.errors import WeightsError
from labkit.sequence import SamplingParams


@pytest.mark.weights
def test_real_weights_answer_a_question(weights: Path) -> None:
    engine = load(weights, device="cpu", config=EngineConfig(num_blocks=16))
    messages = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = engine.tokenizer.encode(
        engine.template.render(messages), allow_special=True
    )
    events = engine.stream(prompt, SamplingParams(max_tokens=24, temperature=0.0))
    assert "Paris" in "".join(event.text for event in events)
    assert str(engine.device) == "cpu"


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="absent"):
        load(tmp_path / "absent.gguf")
