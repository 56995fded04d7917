"""Times of prefill in chosen states of the cache: nothing known, a prefix, all of it.

It owns an engine, so that nobody else's blocks are in its pool, and a lock, so that a
page and a cell can both ask. A time is the step or steps up to the first token, the
smallest of a few runs: on a shared machine noise only adds.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from labkit.clock import Clock
from labkit.engine import Engine
from labkit.sequence import SamplingParams
from labkit.widgets.prefix_miss_explainer import MissTimes

__all__ = ["PrefixProbe"]

ONE_TOKEN = SamplingParams(max_tokens=1, temperature=0.0, ignore_eos=True)


class PrefixProbe:
    """`probe = PrefixProbe(lab.engine_with(), clock)`."""

    def __init__(self, engine: Engine, clock: Clock, runs: int = 3) -> None:
        self.engine = engine
        self.runs = runs
        self._clock = clock
        self._lock = threading.Lock()

    def first_token_ms(self, ids: Sequence[int], salt: str | None = None) -> float:
        """Milliseconds from `add` to the first token, the cache as it is."""
        started_s = self._clock.now()
        self.engine.add(ids, ONE_TOKEN, salt=salt)
        while self.engine.has_work:
            self.engine.step()
        return (self._clock.now() - started_s) * 1000

    def known(self, ids: Sequence[int], before: Sequence[Sequence[int]]) -> float:
        """The time for `ids` when the cache holds what the prompts `before` left."""
        self.engine.reset_cache()
        for prompt in before:
            self.first_token_ms(prompt)
        return self.first_token_ms(ids)

    def measure(self, first: Sequence[int], second: Sequence[int]) -> MissTimes:
        """The second prompt with nothing, with the first, and with itself known."""
        with self._lock:
            self.known(first, ())  # warm up
            cold, warm, middle = [], [], []
            for _ in range(self.runs):
                cold.append(self.known(second, ()))
                warm.append(self.first_token_ms(second))
                self.known(first, ())
                before = self.engine.cache_stats().hit_tokens
                middle.append(self.first_token_ms(second))
                cached = self.engine.cache_stats().hit_tokens - before
        return MissTimes(min(cold), min(middle), min(warm), cached)
