"""Numbers about requests: how many ended in which way, and where one spent its time.

Every label comes from a closed set; none is a text, a key or the id of a request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from labkit.records import Usage
from server.outcomes import Outcome
from server.outputs import Observer

__all__ = ["OutcomeCounts", "server_timing"]


class OutcomeCounts(Observer):
    """How many requests have ended in each of the possible ways."""

    def __init__(self) -> None:
        self._ended: Counter[Outcome] = Counter()

    def on_end(self, usage: Usage, outcome: Outcome) -> None:
        """Count one more request that has ended with `outcome`."""
        self._ended[outcome] += 1

    def by_outcome(self) -> Mapping[str, int]:
        """Ended requests by outcome, zeros included."""
        return {str(outcome): self._ended[outcome] for outcome in Outcome}


def server_timing(lengths: Iterable[tuple[str, float]]) -> str:
    """The value of a Server-Timing header: milliseconds by span name, in order."""
    total_ms: dict[str, float] = {}
    for name, length_s in lengths:
        total_ms[name] = total_ms.get(name, 0.0) + length_s * 1000
    return ", ".join([f"{name};dur={ms:.3f}" for name, ms in total_ms.items()])
