"""This project's engine as a person gets it: `Engine.add` and `step`, text included."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from labkit.clock import SystemClock
from labkit.config import EngineConfig
from labkit.engine.engine import Engine
from labkit.model.weights import load_model
from labkit.records import StepReport
from labkit.sequence import SamplingParams
from tests.bench.contenders.passes import decode_seconds, token_by_token
from tests.bench.contenders.profiling import profile_step

__all__ = ["Ours", "run"]

Prompts = Sequence[Sequence[int]]


class Ours:
    """The default engine, and one with drafts, over one model."""

    def __init__(self, weights: str, threads: int, device: str = "cpu") -> None:
        torch.set_num_threads(threads)
        self._model = load_model(Path(weights), device=device)
        self._engines: dict[int, Engine] = {}

    def facts(self) -> dict[str, Any]:
        """What computes."""
        decoder = self._model.decoder
        return {
            "device": str(decoder.device),
            "dtype": str(decoder.dtype).removeprefix("torch."),
            "reads_packed_weights": getattr(decoder, "packed", None) is not None,
        }

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text."""
        return self._engine().tokenizer.encode(text)

    def chat_ids(self, question: str) -> list[int]:
        """Token ids of a chat prompt, as the server writes it."""
        engine = self._engine()
        prompt = engine.template.render([{"role": "user", "content": question}])
        return engine.tokenizer.encode(prompt, allow_special=True)

    def decode(self, prompts: Prompts, num_tokens: int) -> dict[str, Any]:
        """Continuations of all prompts in one batch, the first tokens untimed."""
        return _decoded(run(self._engine(), prompts, num_tokens))

    def with_drafts(
        self, prompt: Sequence[int], num_tokens: int, drafts: int, temperature: float
    ) -> list[dict[str, Any]]:
        """One continuation without drafts and with them, a step of each in turn.

        A host that is slow for a moment is so for both.
        """
        runs = [
            Run(self._engine(most), [prompt], num_tokens, temperature)
            for most in (0, drafts)
        ]
        open_runs = runs
        while open_runs:
            open_runs = [each for each in open_runs if each.advance()]
        return [_decoded(each.found()) for each in runs]

    def answer(self, prompts: Prompts, num_tokens: int) -> dict[str, Any]:
        """The same with everything timed, from the first `add` to the last event."""
        found = run(self._engine(), prompts, num_tokens)
        return {"tokens": len(prompts) * num_tokens, "wall_s": found["wall_s"]}

    def prefill(self, prompt: Sequence[int]) -> float:
        """Seconds from the prompt to its first token, nothing of it being cached."""
        found = run(self._engine(), [prompt], 1)
        assert found["cached"] == 0, f"{found['cached']} tokens came out of the cache"
        return found["wall_s"]

    def cached_prefill(self, prompt: Sequence[int]) -> dict[str, Any]:
        """Seconds to the first token, and how many tokens the cache had."""
        found = run(self._engine(), [prompt], 1)
        return {"wall_s": found["wall_s"], "cached": found["cached"]}

    def step_at(self, context: int, is_paged: bool) -> float:
        """Seconds of a decode step at `context` tokens."""
        return decode_seconds(self._model.decoder, context, is_paged=is_paged)

    def logits(self, windows: Prompts, path: str) -> None:
        """Save float32 logits [windows, tokens, vocab], computed as a decode does."""
        np.save(path, token_by_token(self._model.decoder, windows))

    def profile(self, prompt: Sequence[int]) -> str:
        """A decode step's time by stage, Python function and torch operation."""
        return profile_step(self._engine(), prompt)

    def _engine(self, drafts: int = 0) -> Engine:
        if drafts not in self._engines:
            config = EngineConfig(max_drafts=drafts)
            self._engines[drafts] = Engine(self._model, config, SystemClock(), int)
        return self._engines[drafts]


def _decoded(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "tokens": found["decoded"],
        "wall_s": found["decode_s"],
        "outputs": found["outputs"],
        "steps": found["steps"],
    }


class Run:
    """Answers to `prompts` together, step by step; each has `num_tokens` tokens."""

    def __init__(
        self, engine: Engine, prompts: Prompts, num_tokens: int, temperature: float
    ) -> None:
        self._engine = engine
        params = SamplingParams(
            max_tokens=num_tokens, temperature=temperature, ignore_eos=True, seed=1
        )
        started = time.perf_counter()
        self._names = [engine.add(prompt, params) for prompt in prompts]
        self._add_s = time.perf_counter() - started
        self._reports: list[StepReport] = []
        self._seconds: list[float] = []

    def advance(self) -> bool:
        """Take a step; False where there was none to take."""
        started = time.perf_counter()
        if not self._engine.has_work:
            return False
        self._reports.append(self._engine.step())
        self._seconds.append(time.perf_counter() - started)
        return True

    def found(self) -> dict[str, Any]:
        """The answers and how long they took; `decode_s` from the first tokens on."""
        outputs: dict[str, list[int | None]] = {name: [] for name in self._names}
        first = 0  # the step after which everybody decodes
        for place, report in enumerate(self._reports):
            assert report.error is None, report.error
            for event in report.emitted:
                first = first if outputs[event.request] else place
                outputs[event.request].append(event.token_id)
        return {
            "outputs": [*outputs.values()],
            "wall_s": self._add_s + sum(self._seconds),
            "decoded": sum(len(r.emitted) for r in self._reports[first + 1 :]),
            "decode_s": sum(self._seconds[first + 1 :]),
            "steps": len(self._reports) - first - 1,
            "cached": self._reports[0].scheduled[0].start,
        }


def run(engine: Engine, prompts: Prompts, num_tokens: int) -> dict[str, Any]:
    """What a greedy `Run` found, taken to its end."""
    whole = Run(engine, prompts, num_tokens, 0.0)
    while whole.advance():
        pass
    return whole.found()
