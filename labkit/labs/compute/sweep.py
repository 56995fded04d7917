"""Chapter 8's recorded times of passes by shape, from a machine that did nothing else.

The chapter draws them beside the reader's own times, since a busy machine cannot give
smooth lines. It reads a recording and measures nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from labkit.figures.roofs import PassWork, Roofs, crossing
from labkit.labs.compute.drafting import tokens_a_pass
from labkit.labs.recordings import Measured

__all__ = ["Sweep"]


class Sweep:
    """`Sweep(lab.replay_measured("sweep")).ms("pass_ms")`: milliseconds by tokens."""

    def __init__(self, measured: Measured) -> None:
        self._measured = measured
        self.origin = measured.origin
        self.drafted = int(measured["drafted"])  # tokens drafted for each sequence

    def ms(self, name: str) -> dict[int, float]:
        """One line of the recording, smallest pass first."""
        return _by_number(self._measured[name])

    @property
    def contexts(self) -> dict[int, dict[int, float]]:
        """Milliseconds of a decode step by tokens of context, for each batch size."""
        lines = self._measured["context_ms"].items()
        return {int(rows): _by_number(line) for rows, line in lines}

    @property
    def context_shares(self) -> dict[int, dict[int, float]]:
        """Per cent of each step that its context adds to the batch's fastest step."""
        return {
            rows: {n: 100 * (1 - min(line.values()) / ms) for n, ms in line.items()}
            for rows, line in self.contexts.items()
        }

    @property
    def context_ratio(self) -> float:
        """What 1,024 tokens of context add for 8 users, over what they add for one."""
        added = {rows: line[1024] - line[32] for rows, line in self.contexts.items()}
        return added[8] / added[1]

    def crossing(self, work: PassWork) -> float:
        """The n* of the machine that made the recording."""
        there = replace(work, weight_bytes=self._measured["weight_bytes"])
        return crossing(Roofs(**self._measured["roofs"]), there)

    def draft_gains(self, acceptance: float) -> dict[int, float]:
        """Speed-up by batch size where every sequence drafts `drafted` tokens."""
        plain, heavy = self.ms("batch_ms"), self.ms("drafted_batch_ms")
        tokens = tokens_a_pass(acceptance, self.drafted)
        return {n: tokens * plain[n] / heavy[n] for n in plain}


def _by_number(line: Mapping[str, float]) -> dict[int, float]:
    return {n: line[str(n)] for n in sorted(map(int, line))}
