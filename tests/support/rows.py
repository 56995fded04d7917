"""Sequences and rows for tests of the sampling stages, made in one line."""

from __future__ import annotations

from collections.abc import Sequence as ListLike
from typing import Any

import torch

from labkit.sampling.pipeline import SamplingRows
from labkit.sequence import SamplingParams, Sequence


def sequence(
    prompt: ListLike[int] = (),
    output: ListLike[int] = (),
    name: str = "a",
    **knobs: Any,
) -> Sequence:
    """A sequence half-way through its answer; seed 0 unless told."""
    params = SamplingParams(**{"seed": 0, **knobs})
    return Sequence(name, tuple(prompt), params, 0.0, list(output))


def rows_of(*sequences: Sequence, vocab: int) -> SamplingRows:
    """Rows on the CPU, all of them watched."""
    return SamplingRows.build(sequences, vocab, torch.device("cpu"))
