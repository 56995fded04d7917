"""What a probe finds in the cache, and what its clock says."""

from __future__ import annotations

from labkit.clock import SystemClock
from labkit.labs.cache.prefix_probe import PrefixProbe
from tests.support.engines import tiny_engine

LONG = tuple(range(100, 130))  # 30 tokens, blocks of 4


def probe() -> PrefixProbe:
    clock = SystemClock()
    return PrefixProbe(tiny_engine(clock), clock, runs=2)


def test_second_request_finds_whole_blocks_but_never_the_last_token() -> None:
    tried = probe()
    assert tried.time(LONG).cached == 0
    assert tried.time(LONG).cached == 28
    assert tried.time(LONG[:28]).cached == 24


def test_after_leaves_only_what_is_named() -> None:
    tried = probe()
    tried.time(LONG)
    tried.after(LONG[:9])
    assert tried.time(LONG).cached == 8


def test_salt_keeps_tenants_apart() -> None:
    tried = probe()
    tried.time(LONG, "clinic")
    assert tried.time(LONG, "attacker").cached == 0
    assert tried.time(LONG, "clinic").cached == 28


def test_measure_compares_three_states_of_the_cache() -> None:
    times = probe().measure(LONG, (*LONG[:10], *range(140, 160)))
    assert times.cached == 8
    assert min(times.cold_ms, times.second_ms, times.warm_ms) > 0
