"""The prefix cache's specification as data, and a cache numbered as it numbers blocks.

The specification reserves block 0, so its N blocks are N - 1 of ours, one lower each.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from labkit.cache.manager import CacheManager

SPEC = json.loads(
    (Path(__file__).parent / "vectors" / "kv_prefix_spec.json").read_text()
)
SCENARIOS: dict[str, dict[str, Any]] = {s["name"]: s for s in SPEC["scenarios"]}


class SpecCache:
    """A cache whose requests are computed as soon as they have their blocks."""

    def __init__(self, num_blocks: int, block_size: int = 16) -> None:
        self.cache = CacheManager(num_blocks - 1, block_size)
        self.size = block_size
        self.ids: dict[str, list[int]] = {}

    def alloc(
        self, name: object, ids: list[int], salt: str | None = None, use: bool = True
    ) -> int | None:
        """Admit and compute; tokens hit, or None where blocks are too few."""
        request, ids = str(name), list(ids)
        cached = self.cache.admit(request, ids, len(ids), salt=salt, use_cache=use)
        if cached is not None:
            self.ids[request] = ids
            if use:
                self.cache.count_query(len(ids), cached)
            self.cache.commit(request, ids, len(ids))
        return cached

    def append(self, name: object, ids: list[int]) -> None:
        """Compute more tokens."""
        request, start = str(name), len(self.ids[str(name)])
        self.ids[request] += ids
        end = len(self.ids[request])
        assert self.cache.grow(request, end)
        assert self.cache.writable(request, start, end) == ()
        self.cache.commit(request, self.ids[request], end)

    def free(self, *names: object) -> None:
        """Requests leave, one after another."""
        for name in names:
            self.cache.free(str(name))

    def blocks(self, name: object) -> list[int]:
        """A request's blocks, as the specification numbers them."""
        return [block + 1 for block in self.cache.tables[str(name)].blocks]

    def hashes(self, name: object) -> list[str | None]:
        """The hash of each of its blocks."""
        views = self.cache.views()
        return [views[block].hash for block in self.cache.tables[str(name)].blocks]

    def refs(self) -> dict[int, int]:
        """Holders of each block."""
        return {view.block + 1: view.ref_count for view in self.cache.views()}

    def free_order(self) -> list[int]:
        """The free queue, next to be taken first."""
        return [block + 1 for block in self.cache._pool.free_queue]

    def tables(self) -> int:
        """Blocks in all tables together."""
        return sum(len(t.blocks) for t in self.cache.tables.values())


def tokens_of(expression: str) -> list[int]:
    """The token list that the specification writes as an expression."""
    ids: list[int] = []
    for part in expression.split("+"):
        value, times = part.strip("[]").split("]*")
        ids += [int(value)] * int(times)
    return ids
