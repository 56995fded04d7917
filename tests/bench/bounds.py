"""The bounds that a run is held to, and the arithmetic of medians and ratios.

A ratio is taken round by round, between neighbours in time, and its median is what
counts: a machine that slows down for a while slows both sides of a pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

__all__ = ["BOUNDS", "Bound", "Spread", "quotients"]


@dataclass(frozen=True, slots=True)
class Bound:
    """What a ratio must reach, or must not exceed."""

    key: str
    what: str
    limit: float
    is_ceiling: bool = False

    def holds(self, value: float | None) -> bool:
        """False for what was not measured, too."""
        if value is None:
            return False
        return value <= self.limit if self.is_ceiling else value >= self.limit

    @property
    def sign(self) -> str:
        """The bound in words that fit a table."""
        return f"{'≤' if self.is_ceiling else '≥'} {self.limit:g}"


BOUNDS = (
    Bound("decode_vs_llama_cpp", "decode, tokens/s against llama.cpp", 1.3),
    Bound("decode_vs_transformers", "decode, tokens/s against transformers", 6.0),
    Bound("prefill_vs_llama_cpp", "512-token prompt against llama.cpp", 3.0),
    Bound("decode_of_roof", "decode, bytes read / (time × copy bandwidth)", 0.35),
    Bound("batch8_vs_batch1", "8 sequences in a batch against one", 3.0),
    Bound("batch8_vs_llama_cpp_batch8", "8 in a batch against llama.cpp's 8", 1.2),
    Bound(
        "paged_vs_contiguous", "step at 1,024 tokens, paged / contiguous", 1.15, True
    ),
    Bound("prefix_hit_ttft", "first token, 1,024 of 1,056 cached / cold", 0.15, True),
    Bound("server_vs_engine", "one stream over HTTP against the engine alone", 0.92),
    Bound("server32", "32 streams over HTTP against a batch of 32", 0.85),
    Bound("spec_copy", "drafts on a copying task against plain decode", 1.6),
    Bound("spec_free", "drafts on free text against plain decode", 0.97),
    Bound("start_warm_s", "process start to first token, in seconds", 5.0, True),
)


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of some samples and how far they reach."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> Spread:
        """The spread of at least one sample."""
        assert samples, "a spread needs a sample"
        return cls(median(samples), min(samples), max(samples))


def quotients(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """`above / below`, round by round."""
    return [a / b for a, b in zip(above, below, strict=True)]
