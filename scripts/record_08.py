"""Chapter 8's slow runs: passes of every size, what a step costs, a stall, drafts.

`python -m scripts.record 8` on a machine that does nothing else. Each file says where
and when it was made; the chapter replays them beside a short live run of the same kind.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from labkit.clock import SystemClock
from labkit.config import EngineConfig
from labkit.engine import Engine
from labkit.labs.compute.stopwatch import (
    PassShape,
    Stopwatch,
    measure_roofs,
    weight_bytes,
)
from labkit.labs.compute.traffic import (
    SHORT_CHUNK,
    TASKS,
    WHOLE_CHUNK,
    run_stall,
    run_task,
)
from labkit.labs.recordings import Measured
from labkit.model.fetch import weights_path
from labkit.model.loaded import LoadedModel
from labkit.model.weights import load_model
from labkit.replay.costs import measure_costs
from labkit.trace import Scalar

__all__ = ["record"]

SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
BATCHES = (1, 2, 4, 8, 16, 32, 64)
CONTEXTS = (32, 64, 128, 256, 512, 1024)
PROMPTS = (64, 128, 256, 512, 1024, 2048)
DRAFTED = 4  # tokens ahead
WARM = 128  # tokens of context before a pass

Made = Mapping[str, Scalar]


def record(made: Made, folder: Path, rounds: int = 5) -> int:
    """Write the chapter's files; 0 when all are there."""
    clock = SystemClock()
    model = load_model(weights_path())
    facts = {**made, "model": model.name}
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in (
        ("sweep", sweep(model, clock, rounds)),
        ("costs", costs(model, clock, rounds)),
        ("stall", stall(model, clock)),
        ("drafts", drafts(model, clock)),
    ):
        Measured(f"08_{name}", facts, values).save(folder / f"08_{name}.json")
        sys.stdout.write(f"08_{name}.json written\n")
    return 0


def sweep(model: LoadedModel, clock: SystemClock, rounds: int) -> dict[str, Any]:
    """Milliseconds of passes by shape, and the roofs of the machine."""
    watch = Stopwatch(model, clock)

    def times(named: Mapping[int, PassShape]) -> dict[str, float]:
        seconds = watch.seconds(list(named.values()), rounds)
        return {str(n): round(1000 * s, 3) for n, s in zip(named, seconds, strict=True)}

    after = {n: PassShape(new=n, context=WARM + n) for n in SIZES}
    few = [n for n in SIZES if n <= 16]
    judged = {n: replace(after[n], scored=n) for n in few}
    users = {n: PassShape(rows=n, context=WARM) for n in BATCHES}
    ahead = DRAFTED + 1
    drafted = {
        n: PassShape(rows=n, new=ahead, context=WARM, scored=ahead) for n in BATCHES
    }
    return {
        "roofs": asdict(measure_roofs(model, clock)),
        "weight_bytes": weight_bytes(model),
        "pass_ms": times(after),
        "judge_ms": times(judged),
        "batch_ms": times(users),
        "drafted_batch_ms": times(drafted),
        "drafted": DRAFTED,
        "context_ms": {
            str(rows): times({n: PassShape(rows, 1, n) for n in CONTEXTS})
            for rows in (1, 8)
        },
        "prompt_ms": times({n: PassShape(1, n, n) for n in PROMPTS}),
    }


def costs(model: LoadedModel, clock: SystemClock, rounds: int) -> dict[str, Any]:
    """The table that a replay charges for its steps."""
    config = EngineConfig(max_step_tokens=WHOLE_CHUNK, prefix_caching=False)
    table = measure_costs(Engine(model, config, clock), repeats=rounds)
    points = [(p.num_tokens, round(p.context, 1), p.seconds) for p in table.points]
    return {"points": [[n, seen, round(s, 6)] for n, seen, s in points]}


def stall(model: LoadedModel, clock: SystemClock) -> dict[str, Any]:
    """Gaps of four streams while a long prompt is computed, whole or in chunks."""
    found = {}
    for chunk in (WHOLE_CHUNK, SHORT_CHUNK):
        config = EngineConfig(max_step_tokens=chunk, prefix_caching=False)
        engine = Engine(model, config, clock)
        run_stall(engine, long_tokens=64)  # the first passes are slow
        found[str(chunk)] = _rounded(run_stall(engine))
    return found


def drafts(model: LoadedModel, clock: SystemClock) -> dict[str, Any]:
    """Steps and seconds of a copying task and of a free one, plain and with drafts."""
    found: dict[str, Any] = {}
    for ahead in (0, DRAFTED):
        config = EngineConfig(max_drafts=ahead, prefix_caching=False)
        engine = Engine(model, config, clock)
        for task in TASKS:
            run_task(engine, task, max_tokens=4)  # the first passes are slow
            found.setdefault(task, {})[str(ahead)] = asdict(run_task(engine, task))
    return found


def _rounded(times: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    def each(values: Iterable[float]) -> list[float]:
        return [round(value, 5) for value in values]

    return {name: each(values) for name, values in times.items()}
