"""Times prefill with an empty cache, with a cached prefix and with a cached prompt.

It has an engine of its own, so that nobody else's blocks are in its pool, and holds the
engine's lock while it measures, so that a page and a cell can both ask. A time is the
step or steps up to the first token, the smallest of a few runs: on a shared machine
noise only adds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labkit.clock import Clock
from labkit.engine import Engine
from labkit.sequence import SamplingParams
from labkit.widgets.prefix_miss_explainer import MissTimes

__all__ = ["PrefixProbe", "Timing"]

ONE_TOKEN = SamplingParams(max_tokens=1, temperature=0.0, ignore_eos=True)


@dataclass(frozen=True, slots=True)
class Timing:
    """What one request told about the cache."""

    ms: float  # from `add` to the first token
    cached: int  # tokens found


class PrefixProbe:
    """`probe = PrefixProbe(lab.engine_with(), clock)`."""

    def __init__(self, engine: Engine, clock: Clock, runs: int = 3) -> None:
        self.engine = engine
        self.runs = runs
        self._clock = clock

    def time(self, ids: Sequence[int], salt: str | None = None) -> Timing:
        """Ask for one token and leave the cache as it is."""
        with self.engine.lock:
            before = self.engine.cache_stats().hit_tokens
            started_s = self._clock.now()
            self.engine.add(ids, ONE_TOKEN, salt=salt)
            while self.engine.has_work:
                self.engine.step()
            took_s = self._clock.now() - started_s
            return Timing(took_s * 1000, self.engine.cache_stats().hit_tokens - before)

    def after(self, *before: Sequence[int]) -> None:
        """Make the cache hold what the prompts `before` leave, and nothing else."""
        with self.engine.lock:
            self.engine.reset_cache()
            for ids in before:
                self.time(ids)

    def measure(self, first: Sequence[int], second: Sequence[int]) -> MissTimes:
        """Time the second prompt: nothing cached, the first cached, itself cached."""
        cold, warm, middle = [], [], []
        with self.engine.lock:
            for _ in range(self.runs):
                self.after()
                cold.append(self.time(second))
                warm.append(self.time(second))
                self.after(first)
                middle.append(self.time(second))
        return MissTimes(
            cold_ms=min(timing.ms for timing in cold),
            second_ms=min(timing.ms for timing in middle),
            warm_ms=min(timing.ms for timing in warm),
            cached=middle[-1].cached,
        )
