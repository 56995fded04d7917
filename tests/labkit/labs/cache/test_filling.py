"""A pool that fills up, in blocks and in strips."""

from __future__ import annotations

import pytest

from labkit.labs.cache.filling import fill

LENGTHS = [10, 20, 30]


def test_blocks_of_one_token_waste_nothing() -> None:
    assert fill(LENGTHS, 1, num_slots=64) == fill([*LENGTHS, 99], 1, num_slots=64)
    assert fill(LENGTHS, 1, num_slots=64).use == 1.0


def test_the_last_block_of_a_request_is_partly_empty() -> None:
    found = fill(LENGTHS, 16, num_slots=80)
    assert (found.num_requests, found.use) == (3, pytest.approx(60 / 80))


def test_strips_hold_fewer_requests_and_use_less_of_what_they_hold() -> None:
    found = fill(LENGTHS, 16, reserve=64, num_slots=128)
    assert (found.num_requests, found.use) == (2, pytest.approx(30 / 128))
