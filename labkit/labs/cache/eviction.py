"""Tries an eviction rule on the engine's own cache, with two kinds of traffic.

A rule is a function: it gets the blocks that are kept for reuse, least recently used
first, and names the one to evict. `replay` runs requests of token ids through a
`CacheManager` whose pool asks the rule, checks its invariants after every request and
counts the tokens found. Nothing is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count

from labkit.cache.blocks import BlockPool
from labkit.cache.manager import CacheManager

__all__ = [
    "KeptBlock",
    "Rule",
    "chats",
    "chats_and_documents",
    "least_recent",
    "replay",
]

BLOCK_SIZE, NUM_BLOCKS = 4, 64


@dataclass(frozen=True, slots=True)
class KeptBlock:
    """What a rule is told of one block that nobody holds."""

    block: int  # its number in the pool
    num_hits: int  # how often its tokens were found since they were computed


Rule = Callable[[Sequence[KeptBlock]], int]
Requests = Iterable[tuple[int, ...]]  # token ids of each


def least_recent(kept: Sequence[KeptBlock]) -> int:
    """The rule of this engine, of vLLM and of most caches (LRU)."""
    return kept[0].block


class RuledPool(BlockPool):
    """The engine's pool, which asks `rule` where it would take the oldest block."""

    def __init__(self, num_blocks: int, rule: Rule) -> None:
        super().__init__(num_blocks)
        self._rule = rule
        self._num_hits = [0] * num_blocks

    def hold(self, blocks: Sequence[int]) -> None:
        """Count a hit for each of the blocks as well."""
        super().hold(blocks)
        for block in blocks:
            self._num_hits[block] += 1

    def victim(self, kept: Iterable[int]) -> int:
        """What the rule names, if it is one of the blocks that are kept."""
        told = [KeptBlock(block, self._num_hits[block]) for block in kept]
        block = self._rule(told)
        assert block in {one.block for one in told}, (
            f"the rule named {block!r}, which is none of the {len(told)} blocks that "
            "are kept: return the `block` of one of them."
        )
        self._num_hits[block] = 0
        return block


def replay(rule: Rule, requests: Requests) -> float:
    """Share of the requests' tokens that were found in the cache, 0 to 1."""
    pool = RuledPool(NUM_BLOCKS, rule)
    cache = CacheManager(NUM_BLOCKS, BLOCK_SIZE, pool=pool)
    found = asked = 0
    for i, ids in enumerate(requests):
        name = f"request {i}"
        hit = cache.admit(name, ids, len(ids))
        assert hit is not None, f"{name} of {len(ids)} tokens does not fit"
        cache.commit(name, ids, len(ids))
        cache.free(name)
        cache.check()
        found, asked = found + hit, asked + len(ids)
    return found / asked


def chats(rounds: int = 40) -> list[tuple[int, ...]]:
    """Chats with one system prompt of 40 tokens, each with 8 tokens of its own."""
    fresh = count(1000)
    system = tuple(range(40))
    return [(*system, *(next(fresh) for _ in range(8))) for _ in range(rounds)]


def chats_and_documents(rounds: int = 20) -> list[tuple[int, ...]]:
    """Three chats, then two documents of 160 tokens that nobody asks for again."""
    fresh = count(100_000)
    talk = iter(chats(3 * rounds))
    requests: list[tuple[int, ...]] = []
    for _ in range(rounds):
        requests += [next(talk) for _ in range(3)]
        requests += [tuple(next(fresh) for _ in range(160)) for _ in range(2)]
    return requests
