"""The real model with drafts: greedy answers are those of plain decoding."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch

from labkit.clock import FakeClock
from labkit.config import EngineConfig
from labkit.engine.engine import Engine
from labkit.engine.runner import Runner
from labkit.engine.speculative import Drafter, DraftStats
from labkit.model.loaded import LoadedModel
from tests.support.drafters import CheapExit
from tests.support.engines import drain, events_of, knobs

pytestmark = pytest.mark.weights

COPY = "Repeat this list of names word for word: Ada, Grace, Edsger, Barbara, Donald."
FREE = "Write two sentences about the sea."
Make = Callable[[Runner], Drafter]


@pytest.fixture(scope="module", autouse=True)
def threads() -> Iterator[None]:
    """The real model is worth two threads, unlike the tiny ones of this folder."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def answers(
    model: LoadedModel, max_drafts: int, make: Make | None = None
) -> tuple[dict[str, str], DraftStats]:
    """Greedy answers to both prompts, together."""
    config = EngineConfig(max_drafts=max_drafts)
    engine = Engine(model, config, FakeClock(), drafter=make)
    for name, text in (("copy", COPY), ("free", FREE)):
        prompt = engine.template.render([{"role": "user", "content": text}])
        ids = engine.tokenizer.encode(prompt, allow_special=True)
        engine.add(ids, knobs(40, temperature=0.0), request=name)
    events = events_of(drain(engine))
    texts = {name: "".join(e.text for e in each) for name, each in events.items()}
    return texts, engine.draft_stats()


@pytest.fixture(scope="module")
def plain(smollm2: LoadedModel) -> dict[str, str]:
    return answers(smollm2, 0)[0]


def test_prompt_lookup_changes_no_word(
    smollm2: LoadedModel, plain: dict[str, str]
) -> None:
    texts, stats = answers(smollm2, 8)
    assert texts == plain
    assert stats.num_accepted > 5


@pytest.mark.parametrize("num_layers", [20, 29])
def test_early_exit_changes_no_word(
    smollm2: LoadedModel, plain: dict[str, str], num_layers: int
) -> None:
    texts, stats = answers(smollm2, 4, lambda runner: CheapExit(runner, num_layers))
    assert texts == plain
    assert stats.num_accepted > 5
