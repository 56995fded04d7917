"""How long engine steps of chosen shapes take on this machine.

`replay` looks up the length of a step in this table. Its entries are whole steps as
the engine reports them, with sampling and detokenisation; none is an estimate.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from statistics import median

import torch

from labkit.clock import Clock, SystemClock
from labkit.engine.engine import Engine
from labkit.errors import InputError
from labkit.records import StepReport
from labkit.sequence import SamplingParams
from labkit.workload import CostPoint, StepCosts, mean_context

__all__ = ["device_name", "measure_costs"]

DECODES = (1, 2, 4, 8, 16, 32, 64)  # sequences that each compute one token
CHUNKS = (16, 32, 64, 128, 256, 512, 1024, 2048)  # tokens of one prompt
CONTEXTS = (32, 480)  # tokens, of the measured decodes


def measure_costs(
    engine: Engine, *, repeats: int = 5, clock: Clock | None = None
) -> StepCosts:
    """Time decode batches and prompt chunks, short and long context, on `engine`.

    Each point is the median of `repeats` steps. The engine must be idle and take
    plain steps (`max_drafts=0`). `clock` gives the date.
    """
    if engine.has_work or engine.config.max_drafts:
        raise InputError("costs are measured on an idle engine without drafts")
    bench = _Bench(engine, repeats)
    date = datetime.fromtimestamp((clock or SystemClock()).unix(), UTC)
    return StepCosts(
        points=(*bench.decodes(), *bench.chunks()),
        model=engine.model_name,
        device=device_name(engine.device),
        date=date.date().isoformat(),
    )


def device_name(device: torch.device) -> str:
    """The machine in words, as recordings name it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{os.cpu_count()} CPU cores, {platform.machine()}"


class _Bench:
    """Made-up prompts through one engine, and the steps that they take."""

    def __init__(self, engine: Engine, repeats: int) -> None:
        self._engine = engine
        self._repeats = repeats
        self._config = engine.config
        self._room = engine.config.max_context or 0  # tokens a sequence
        self._numbers = count()

    def decodes(self) -> Iterator[CostPoint]:
        """One point for each batch and context that the pool has room for."""
        config = self._config
        seats = min(config.max_running, config.max_waiting, config.max_step_tokens // 2)
        for batch in (n for n in DECODES if n <= seats):
            for context in CONTEXTS:
                longest = context + self._max_tokens(batch, context)
                blocks = batch * -(-longest // config.block_size)
                if blocks <= config.num_blocks and longest < self._room:
                    yield self._decode(batch, context)

    def chunks(self) -> Iterator[CostPoint]:
        """One point for each size of chunk, first and after a whole step's chunk."""
        budget = self._config.max_step_tokens
        for size in (n for n in CHUNKS if n <= budget):
            for start in (0, budget):
                if start + size + 1 < self._room:
                    yield _point(
                        [self._chunk(start, size) for _ in range(self._repeats)]
                    )

    def _max_tokens(self, batch: int, context: int) -> int:
        """The first of a batch goes on while the last one's prompt is computed."""
        return self._repeats + 3 + 2 * batch * context // self._config.max_step_tokens

    def _decode(self, batch: int, context: int) -> CostPoint:
        max_tokens = self._max_tokens(batch, context)
        names = [self._add(context, max_tokens) for _ in range(batch)]
        open_names, measured = set(names), list[StepReport]()
        while len(measured) < self._repeats:
            report = self._step()
            open_names -= {e.request for e in report.emitted}
            if not open_names and not any(p.is_prefill for p in report.scheduled):
                measured.append(report)
        for name in names:
            self._engine.abort(name)
        self._step()
        return _point(measured)

    def _chunk(self, start: int, size: int) -> StepReport:
        """The step that computes a prompt's last `size` tokens, after `start`."""
        self._add(start + size, 1)
        while True:
            report = self._step()
            if report.emitted:
                return report

    def _add(self, num_tokens: int, max_tokens: int) -> str:
        first = next(self._numbers)  # no two prompts begin alike, so no block is hit
        size = self._engine.tokenizer.vocab_size
        prompt = [first % size, first // size, *range(2, num_tokens)]
        prompt = [token_id % size for token_id in prompt[:num_tokens]]
        knobs = SamplingParams(max_tokens, temperature=0.0, ignore_eos=True)
        return self._engine.add(prompt, knobs)

    def _step(self) -> StepReport:
        report = self._engine.step()
        assert report.error is None, f"a measured step failed: {report.error}"
        return report


def _point(reports: list[StepReport]) -> CostPoint:
    """The median of steps that computed alike."""
    parts = [part for report in reports for part in report.scheduled]
    tokens = sum(part.num_tokens for part in parts)
    seconds = median(report.ended_s - report.started_s for report in reports)
    return CostPoint(tokens // len(reports), mean_context(parts), seconds)
