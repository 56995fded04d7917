"""`python -m scripts.record 9`: what many tokens show about sampling, in one batch.

All runs of an experiment go through the engine together, each with knobs of its own.
Kept are texts, ids and shares that follow from them, no times: the same weights and
seeds give the same file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from labkit.book.lab import REQUEST
from labkit.engine import Engine, load
from labkit.labs.recordings import Measured
from labkit.labs.sampling.repetition import distinct, repeated
from labkit.records import TokenEvent
from labkit.sequence import SamplingParams
from labkit.trace import Scalar

__all__ = ["DEFAULTS", "record", "runs"]

Run = Mapping[str, Any]
STORIES = (
    "Tell me a long story about a lighthouse.",
    "Explain in detail how bread is made.",
    "Describe a walk through an old town.",
)
HEATS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
LOOP_TOKENS = 256
DEFAULTS: Mapping[str, Mapping[str, float]] = {  # when nothing is asked for
    "labkit": {},
    "transformers": {"top_k": 50},
    "llama_cpp": {"temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05},
}
NUM_DEFAULT_RUNS = 8
DEFAULT_TOKENS = 48


def record(made: Mapping[str, Scalar], folder: Path) -> int:
    """Chapter 9's file: loops and defaults; the exit code."""
    engine = load()
    meta = {"model": engine.model_name, **made}
    values = {"loops": loops(engine), "defaults": defaults(engine)}
    folder.mkdir(parents=True, exist_ok=True)
    Measured("sampling", meta, values).save(folder / "09_sampling.json")
    return 0


def loops(
    engine: Engine, heats: Sequence[float] = HEATS, max_tokens: int = LOOP_TOKENS
) -> list[Run]:
    """Each story at each temperature: how much of it repeats itself."""
    wishes = [
        (story, SamplingParams(**_free(heat, max_tokens), seed=number))
        for heat in heats
        for number, story in enumerate(STORIES)
    ]
    return [
        {
            "prompt": story,
            "temperature": params.temperature,
            "repeated": round(repeated(ids), 4),
            "logprob": round(_mean_logprob(events), 4),
            "end": engine.tokenizer.decode(ids[-40:]),
        }
        for (story, params), (events, ids) in zip(
            wishes, runs(engine, wishes), strict=True
        )
    ]


def defaults(engine: Engine, max_tokens: int = DEFAULT_TOKENS) -> list[Run]:
    """The book's request with nothing set, under each engine's defaults."""
    prompt = REQUEST[1]["content"]
    wishes = [
        (
            prompt,
            SamplingParams(**{**_free(1.0, max_tokens), **knobs, "seed": seed}),
        )
        for knobs in DEFAULTS.values()
        for seed in range(NUM_DEFAULT_RUNS)
    ]
    drawn = [ids for _, ids in runs(engine, wishes)]
    found: list[Run] = []
    for place, name in enumerate(DEFAULTS):
        group = drawn[place * NUM_DEFAULT_RUNS : (place + 1) * NUM_DEFAULT_RUNS]
        texts = [engine.tokenizer.decode(ids) for ids in group]
        share = round(distinct(group, 2), 4)
        found.append({"engine": name, "distinct_2": share, "texts": texts})
    return found


def runs(
    engine: Engine, wishes: Iterable[tuple[str, SamplingParams]]
) -> list[tuple[list[TokenEvent], list[int]]]:
    """All wishes in one batch; each one's events and token ids, in order."""
    events: dict[str, list[TokenEvent]] = {}
    for prompt, params in wishes:
        system = REQUEST[0]
        text = engine.template.render([system, {"role": "user", "content": prompt}])
        ids = engine.tokenizer.encode(text, allow_special=True)
        events[engine.add(ids, params)] = []
    while engine.has_work:
        report = engine.step()
        for event in report.emitted:
            events[event.request].append(event)
        if report.index % 50 == 0:
            sys.stdout.write(f"step {report.index}: {report.num_running} running\n")
    return [(found, _ids(found)) for found in events.values()]


def _free(heat: float, max_tokens: int) -> dict[str, Any]:
    """Sampling parameters that ignore the end-of-text token up to `max_tokens`."""
    free = {"ignore_eos": True, "top_logprobs": 0}
    return {"temperature": heat, "max_tokens": max_tokens, **free}


def _ids(events: Sequence[TokenEvent]) -> list[int]:
    return [e.token_id for e in events if e.token_id is not None and e.is_counted]


def _mean_logprob(events: Sequence[TokenEvent]) -> float:
    known = [event.logprob for event in events if event.logprob is not None]
    return sum(known) / len(known)
