"""The block pool and the prefix cache: blocks, what happened to them, hit rates."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "BlockCounts",
    "BlockEvent",
    "BlockEventKind",
    "BlockView",
    "CacheStats",
    "PoolFrame",
]


@dataclass(frozen=True, slots=True)
class BlockCounts:
    """Blocks of the pool by what they are doing; free + held + cached == total."""

    free: int
    held: int  # by live sequences
    cached: int  # kept for reuse, evictable
    total: int


@dataclass(frozen=True, slots=True)
class BlockView:
    """One block of the pool at one moment."""

    block: int
    ref_count: int  # holders; 0: free, or kept for reuse if it has a hash
    owners: tuple[str, ...]  # request ids
    num_filled: int  # slots in use
    token_ids: tuple[int, ...] = ()  # of the filled slots
    hash: str | None = None  # of a full block that may be hit, in hex
    parent: str | None = None  # hash of the block before it; None for a first one
    queue_place: int | None = None  # 0: handed out next; None: somebody holds it


class BlockEventKind(StrEnum):
    """What happened to a block."""

    TAKE = "take"  # handed out for new tokens
    HIT = "hit"  # found by its hash and held once more
    HASH = "hash"  # full: from now on it may be hit
    EVICT = "evict"  # its hash is forgotten, for another use
    COPY = "copy"  # copied on write from `source`
    SHARE = "share"  # held once more by a fork
    FREE = "free"  # given back by one holder


@dataclass(frozen=True, slots=True)
class BlockEvent:
    """One thing that happened to one block."""

    kind: BlockEventKind
    block: int
    request: str | None = None
    source: int | None = None  # the block copied from


@dataclass(frozen=True, slots=True)
class PoolFrame:
    """The whole pool after one engine step, and what happened in that step."""

    step: int
    blocks: tuple[BlockView, ...]
    events: tuple[BlockEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class CacheStats:
    """How often the prefix cache was asked, and what it gave, in tokens."""

    num_requests: int
    query_tokens: int
    hit_tokens: int

    @property
    def hit_rate(self) -> float | None:
        """Share of the asked tokens that were found; None before the first request."""
        return self.hit_tokens / self.query_tokens if self.query_tokens else None
