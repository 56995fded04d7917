"""What a run found: figures, ratios, quality, notes, and all of it as one object.

Nothing is invented for what could not be measured: its ratio is null and a note says
why. The raw samples of every round stay in the object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.bench.bounds import BOUNDS, Spread

__all__ = ["QUALITY", "VERSION", "Figure", "Record"]

VERSION = 1
QUALITY = {"mean_kl": (0.02, True), "greedy_agreement": (0.97, False)}


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity of one contender, round by round."""

    row: str
    who: str
    unit: str
    samples: tuple[float, ...]
    bound: float | None = None  # what the machine's roofs allow, in the same unit
    is_time: bool = False  # less is better

    @property
    def spread(self) -> Spread:
        """Median and reach."""
        return Spread.of(self.samples)

    @property
    def of_bound(self) -> float | None:
        """How much of the bound was reached, 1 being all."""
        if self.bound is None:
            return None
        middle = self.spread.median
        return self.bound / middle if self.is_time else middle / self.bound


@dataclass(slots=True)
class Record:
    """A run as it grows."""

    rounds: int
    chosen: tuple[str, ...]
    machine: dict[str, Any] = field(default_factory=dict)
    roofs: dict[str, float] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)
    ratios: dict[str, list[float]] = field(default_factory=dict)
    quality: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    profile: str = ""  # a decode step by operation, where it was asked for

    def add(
        self, row: str, who: str, unit: str, samples: Sequence[float], **more: Any
    ) -> None:
        """Keep a figure."""
        self.figures.append(Figure(row, who, unit, tuple(samples), **more))

    def ratio(self, key: str) -> float | None:
        """The median of a ratio; None where it was not measured."""
        samples = self.ratios.get(key)
        return Spread.of(samples).median if samples else None

    def missed(self, expected: Sequence[str]) -> list[str]:
        """Those of the bounds called by name that do not hold, and bad quality."""
        short = [
            b.key
            for b in BOUNDS
            if b.key in expected and not b.holds(self.ratio(b.key))
        ]
        return short + [name for name in QUALITY if not self.is_good(name)]

    def is_good(self, name: str) -> bool:
        """False where a measure of quality was taken and is out of its bound."""
        if "quality" in self.chosen and name not in self.quality:
            return False
        limit, is_ceiling = QUALITY[name]
        value = float(self.quality.get(name, limit))
        return value <= limit if is_ceiling else value >= limit

    def as_dict(self, command: str, date: str) -> dict[str, Any]:
        """The whole run, ready for JSON."""
        return {
            "version": VERSION,
            "date": date,
            "command": command,
            "rounds": self.rounds,
            "rows": list(self.chosen),
            "machine": self.machine,
            "ratios": {bound.key: self.ratio(bound.key) for bound in BOUNDS},
            "bounds": {bound.key: self._bound(bound.key) for bound in BOUNDS},
            "roofs": self.roofs,
            "figures": [_figure(figure) for figure in self.figures],
            "quality": self.quality,
            "ratio_samples": self.ratios,
            "notes": self.notes,
            "profile": self.profile.splitlines(),
        }

    def _bound(self, key: str) -> Mapping[str, Any]:
        bound = next(b for b in BOUNDS if b.key == key)
        value = self.ratio(key)
        return {
            "what": bound.what,
            "limit": bound.limit,
            "is_ceiling": bound.is_ceiling,
            "holds": None if value is None else bound.holds(value),
        }


def _figure(figure: Figure) -> dict[str, Any]:
    found = {**asdict(figure), **asdict(figure.spread), "of_bound": figure.of_bound}
    return {**found, "samples": list(figure.samples)}
