"""Shares of repeated and of different n-grams."""

from __future__ import annotations

import pytest

from labkit.labs.sampling.repetition import distinct, repeated


@pytest.mark.parametrize(
    ("ids", "share"),
    [([], 0.0), ([1, 2, 3], 0.0), ([1, 2, 3, 4, 5], 0.0), ([1] * 8, 0.8)],
)
def test_repeated_counts_runs_that_stood_before(ids, share) -> None:
    assert repeated(ids) == pytest.approx(share)


def test_distinct_looks_over_all_texts_together() -> None:
    assert distinct([[1, 2, 3], [1, 2, 4]]) == pytest.approx(3 / 4)
    assert distinct([[1], []]) == 0.0
