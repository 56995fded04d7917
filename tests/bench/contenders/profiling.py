"""Where a decode step's time goes, seen three ways: stages, functions, operations.

The stages cost nothing to see. Functions come from Python's own profiler, which gives a
kernel's time to the function that calls it; operations from torch's. Both slow a step
down, so each view says what a step took under it.
"""

from __future__ import annotations

import cProfile
import pstats
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from torch.profiler import ProfilerActivity
from torch.profiler import profile as torch_profile

from labkit.engine.engine import Engine
from labkit.records import StepReport
from labkit.sequence import SamplingParams

__all__ = ["profile_step"]

STEPS = 16  # of which the mean is taken
SHOWN = 16  # lines a view

Line = tuple[str, float, float]  # name, calls a step, seconds a step


def profile_step(engine: Engine, prompt: Sequence[int]) -> str:
    """A decode step after `prompt`, as text."""
    params = SamplingParams(max_tokens=5 * STEPS, temperature=0, ignore_eos=True)
    request = engine.add(prompt, params)
    _steps(engine, nullcontext())
    reports, plain_s = _steps(engine, nullcontext())
    functions = cProfile.Profile()
    _, python_s = _steps(engine, functions)
    operations = torch_profile(activities=[ProfilerActivity.CPU])
    _, torch_s = _steps(engine, operations)
    engine.abort(request)
    engine.step()
    return "\n".join(
        [
            *_view("stage", _stages(reports), plain_s),
            *_view("function, by own time", _functions(functions), python_s),
            *_view("torch operation, by own time", _operations(operations), torch_s),
        ]
    )


def _steps(
    engine: Engine, seen: AbstractContextManager[Any]
) -> tuple[list[StepReport], float]:
    """Some steps, and the seconds that one took."""
    with seen:
        started = time.perf_counter()
        reports = [engine.step() for _ in range(STEPS)]
        wall_s = time.perf_counter() - started
    return reports, wall_s / STEPS


def _stages(reports: Sequence[StepReport]) -> list[Line]:
    def mean(begin: str, end: str) -> float:
        spans = [getattr(r, end) - getattr(r, begin) for r in reports]
        return sum(spans) / len(spans)

    return [
        ("plan and compute", 1, mean("started_s", "computed_s")),
        ("sample", 1, mean("computed_s", "sampled_s")),
        ("text, settle", 1, mean("sampled_s", "ended_s")),
    ]


def _functions(seen: cProfile.Profile) -> list[Line]:
    stats: dict[tuple[str, int, str], Any] = pstats.Stats(seen).stats  # type: ignore[attr-defined]
    return [
        (f"{Path(file).name}: {name}", calls / STEPS, own_s / STEPS)
        for (file, _, name), (_, calls, own_s, _, _) in stats.items()
    ]


def _operations(seen: torch_profile) -> list[Line]:
    return [
        (row.key, row.count / STEPS, row.self_cpu_time_total / 1e6 / STEPS)
        for row in seen.key_averages()
    ]


def _view(title: str, lines: Sequence[Line], step_s: float) -> list[str]:
    """The costliest lines, then what a step took."""
    shown = [f"{title:<48} {'calls':>7} {'µs a step':>10} {'share':>6}"]
    costliest = sorted(lines, key=lambda line: -line[2])
    for name, calls, cost_s in costliest[:SHOWN]:
        share = f"{cost_s / step_s:.1%}"
        shown.append(f"{name[:48]:<48} {calls:>7.1f} {1e6 * cost_s:>10.0f} {share:>6}")
    rest_s = step_s - sum(cost_s for _, _, cost_s in costliest[:SHOWN])
    shown.append(f"{'all else':<56} {1e6 * rest_s:>10.0f} {rest_s / step_s:>6.1%}")
    return [*shown, f"{'a step':<56} {1e6 * step_s:>10.0f}", ""]
