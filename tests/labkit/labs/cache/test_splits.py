"""One prompt in several passes against one pass."""

from __future__ import annotations

from labkit.labs.cache.splits import split_differences
from tests.support.tiny import tiny_model


def test_passes_of_a_prompt_are_compared_with_a_single_one() -> None:
    decoder, ids = tiny_model().decoder, list(range(100, 112))
    found = split_differences(decoder, ids, {"whole": [12], "cached": [8, 4]})
    assert (found["whole"].largest, found["whole"].same_best) == (0.0, True)
    assert 0.0 <= found["cached"].largest < 1e-3
    assert found["cached"].same_best
