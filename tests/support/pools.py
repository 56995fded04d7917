"""What the cache's widgets are given in tests: frames of a real pool, prompts, cards.

The frames come from a real `CacheManager` that is driven by hand: two requests share a
prefix, one forks and copies on write, one is freed and its kept block evicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from labkit.cache.manager import CacheManager
from labkit.figures.kv import GPU, ModelShape
from labkit.figures.prices import PriceCard
from labkit.records import PoolFrame
from labkit.widgets.prefix_miss_explainer import MissTimes, Words

PREFIX = tuple(range(8))  # two blocks of four
SIZE = 4

MODELS = {
    "small": ModelShape("small", 30, 9, 3, 64, 134_515_008, max_context=8192),
    "latent": ModelShape("latent", 61, 128, 128, 192, 671 * 10**9, 128, 576),
}
GPUS = {"one": GPU("one", 80, 3.35, 989.4)}
CARD = PriceCard(
    "Model X",
    "2026-11-22",
    Decimal(2),
    Decimal("2.50"),
    Decimal(4),
    Decimal("0.20"),
    Decimal(10),
)
POLICY = "Be kind. Be brief. " * 6
PAIRS = {
    "timestamp": (f"At 06:47:01. {POLICY}", f"At 06:47:02. {POLICY}"),
    "tools": (
        f'[{{"n": "a"}}, {{"n": "b"}}] {POLICY}',
        f'[{{"n": "b"}}, {{"n": "a"}}] {POLICY}',
    ),
}
WORDS = Words(lambda text: list(text.encode()), lambda i: chr(i) if i < 128 else "·")


def measured(first: Sequence[int], second: Sequence[int]) -> MissTimes:
    """Times that a person wrote down."""
    return MissTimes(cold_ms=80.0, second_ms=60.0, warm_ms=5.0, cached=16)


def pool_frames() -> list[PoolFrame]:
    """Six steps of a pool of eight blocks of four tokens."""
    cache = CacheManager(8, SIZE)
    cache.events = []
    frames: list[PoolFrame] = []
    tokens: dict[str, tuple[int, ...]] = {}

    def note() -> None:
        assert cache.events is not None, "recorded from the start"
        events, cache.events = tuple(cache.events), []
        frames.append(PoolFrame(len(frames), cache.views(tokens), events))

    tokens["req-0"] = (*PREFIX, 90, 91)
    cache.admit("req-0", tokens["req-0"], 10)
    cache.commit("req-0", tokens["req-0"], 10)
    note()
    tokens["req-1"] = (*PREFIX, 80)
    cache.admit("req-1", tokens["req-1"], 9)
    cache.commit("req-1", tokens["req-1"], 9)
    note()
    tokens["fork"] = tokens["req-0"]
    cache.fork("req-0", "fork", 10)
    note()
    cache.writable("fork", 10, 11)
    tokens["fork"] = (*tokens["fork"], 70)
    note()
    for name in ("req-0", "fork", "req-1"):
        cache.free(name)
        del tokens[name]
    note()
    tokens["big"] = tuple(range(200, 232))
    cache.admit("big", tokens["big"], 32)
    cache.commit("big", tokens["big"], 32)
    note()
    return frames
