"""The cache's block accounting: the pool, the prefix index, one table a request.

Integers only: the caller copies keys and values where `writable` says so, and computes
what `admit` did not find. A refusal changes nothing. The invariants are that a block
has as many holders as tables name it, and that a block is written only by its one
holder and only before it has a hash.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as ListLike

from labkit.cache.blocks import BlockPool, BlockTable, PrefixIndex, chained
from labkit.records import (
    BlockEvent,
    BlockEventKind,
    BlockView,
    CacheStats,
)

__all__ = ["CacheManager"]


class CacheManager:
    """Who holds which block, which prefix is known, and what becomes of both."""

    def __init__(
        self,
        num_blocks: int,
        block_size: int,
        *,
        is_caching: bool = True,
        pool: BlockPool | None = None,
    ) -> None:
        self.events: list[BlockEvent] | None = None  # a list: what happens is added
        self._block_size = block_size  # tokens
        self._is_caching = is_caching
        self._pool = pool or BlockPool(num_blocks)
        self._index = PrefixIndex(block_size)
        self.counts = self._pool.counts  # the pool by what its blocks are doing
        self.tables: dict[str, BlockTable] = {}  # by request; look, do not touch
        self._num_requests = self._query_tokens = self._hit_tokens = 0

    @property
    def num_free(self) -> int:
        """Blocks that could be taken now, those kept for reuse included."""
        return self._pool.num_free

    def match(self, ids: ListLike[int], salt: str | None = None) -> tuple[int, ...]:
        """Full blocks that hold a prefix of `ids`, never all of it; changes nothing."""
        return self._index.match(ids, salt)

    def admit(
        self,
        request: str,
        ids: ListLike[int],
        num_tokens: int,
        *,
        salt: str | None = None,
        use_cache: bool = True,
        spare: int = 0,
    ) -> int | None:
        """Hold what is known of `ids` and blocks for `num_tokens` positions in all.

        Gives the tokens found, or None where fewer than `spare` blocks would stay free.
        Known blocks are held before new ones are taken: none is evicted for these.
        """
        assert request not in self.tables, f"{request} holds blocks already"
        hits = self.match(ids, salt) if use_cache and self._is_caching else ()
        table = BlockTable(self._block_size, hits, salt)
        num_new = max(0, table.num_blocks_for(num_tokens) - len(hits))
        num_idle = sum(not self._pool.ref_count(block) for block in hits)
        if num_new + spare > self.num_free - num_idle:
            return None
        self._pool.hold(hits)
        self._note(BlockEventKind.HIT, hits, request)
        table.num_hashed = len(hits)
        table.blocks += self._take(request, num_new)
        self.tables[request] = table
        return len(hits) * self._block_size

    def count_query(self, num_tokens: int, num_found: int) -> None:
        """Count a request of `num_tokens` tokens, `num_found` of them found.

        Once a request: one that comes in again after a preemption finds its own blocks,
        which says nothing about what the cache is worth.
        """
        if self._is_caching:
            self._num_requests += 1
            self._query_tokens += num_tokens
            self._hit_tokens += num_found

    def grow(self, request: str, num_tokens: int) -> bool:
        """Hold blocks for `num_tokens` positions; False where too few are free."""
        table = self.tables[request]
        num_new = table.num_blocks_for(num_tokens) - len(table.blocks)
        if num_new > self.num_free:
            return False
        if num_new > 0:
            table.blocks += self._take(request, num_new)
        return True

    def reserve(
        self, request: str, start: int, end: int
    ) -> tuple[tuple[int, int], ...] | None:
        """`grow` to `end` positions, then make those from `start` on `writable`.

        Most often a token goes on in a block that is the request's own: nothing to do.
        """
        blocks, size = self.tables[request].blocks, self._block_size
        place = start // size
        if (end - 1) // size == place < len(blocks):
            block = blocks[place]
            is_shared = self._pool.ref_counts[block] > 1
            if not is_shared and block not in self._index.hashed:
                return ()
        return self.writable(request, start, end) if self.grow(request, end) else None

    def writable(
        self, request: str, start: int, end: int
    ) -> tuple[tuple[int, int], ...] | None:
        """Make positions `start` to `end` - 1 the request's own, to be written.

        Gives (source, own) pairs of blocks whose contents must be copied first; all of
        them at once, before any new key is written. None where too few are free.
        """
        table = self.tables[request]
        assert end <= table.capacity, f"{request} has no block for {end - 1}: grow it"
        places = range(start // self._block_size, table.num_blocks_for(end))
        shared = [i for i in places if not self._is_own(table.blocks[i])]
        if not shared:
            return ()
        if len(shared) > self.num_free:
            return None
        sources = [table.blocks[i] for i in shared]
        copies = self._take(request, len(shared), sources)
        for place, copy in zip(shared, copies, strict=True):
            table.blocks[place] = copy
        table.num_hashed = min(table.num_hashed, shared[0])
        self._release(request, sources)
        return tuple(zip(sources, copies, strict=True))

    def commit(self, request: str, ids: ListLike[int], num_computed: int) -> None:
        """Give each block that the first `num_computed` of `ids` filled its hash."""
        table, size = self.tables[request], self._block_size
        if not self._is_caching:
            return
        for place in range(table.num_hashed, num_computed // size):
            block = table.blocks[place]
            before = self._index.get(table.blocks[place - 1]) if place else None
            part = ids[place * size : (place + 1) * size]
            if block not in self._index:  # a fork may have come first
                parent = before.key if before else None
                self._index.put(block, chained(parent, part, table.salt))
                self._note(BlockEventKind.HASH, [block], request)
            table.num_hashed = place + 1

    def shrink(self, request: str, num_tokens: int) -> None:
        """Give back the blocks past the first `num_tokens` positions."""
        table = self.tables[request]
        keep = table.num_blocks_for(num_tokens)
        if keep < len(table.blocks):
            surplus, table.blocks = table.blocks[keep:], table.blocks[:keep]
            table.num_hashed = min(table.num_hashed, keep)
            self._release(request, surplus)

    def fork(self, parent: str, child: str, num_tokens: int) -> None:
        """`child` holds every block in which `parent`'s first `num_tokens` lie."""
        assert child not in self.tables, f"{child} holds blocks already"
        mother = self.tables[parent]
        shared = mother.blocks[: mother.num_blocks_for(num_tokens)]
        table = BlockTable(self._block_size, shared, mother.salt)
        table.num_hashed = min(mother.num_hashed, num_tokens // self._block_size)
        self._pool.hold(shared)
        self._note(BlockEventKind.SHARE, shared, child)
        self.tables[child] = table

    def free(self, request: str) -> None:
        """Give back all that `request` holds; what has a hash may be hit again."""
        self._release(request, self.tables.pop(request).blocks)

    def reset(self) -> bool:
        """Forget all hashes; False, and nothing changes, while anyone holds blocks."""
        if self.tables:
            return False
        for block in self._pool.free_queue:
            if self._index.forget(block):
                self._note(BlockEventKind.EVICT, [block])
        self._pool.discard_kept()
        return True

    def stats(self) -> CacheStats:
        """What `count_query` was told since the start."""
        return CacheStats(self._num_requests, self._query_tokens, self._hit_tokens)

    def views(
        self, computed: Mapping[str, ListLike[int]] | None = None
    ) -> tuple[BlockView, ...]:
        """Every block; `computed` has the tokens of requests whose blocks fill up."""
        owners: dict[int, list[str]] = {}
        filling: dict[int, tuple[int, ...]] = {}
        for request, table in self.tables.items():
            ids, size = (computed or {}).get(request, ()), self._block_size
            for place, block in enumerate(table.blocks):
                owners.setdefault(block, []).append(request)
                part = tuple(ids[place * size : (place + 1) * size])
                filling[block] = max(filling.get(block, ()), part, key=len)
        places = {block: i for i, block in enumerate(self._pool.free_queue)}
        return tuple(
            self._view(b, owners.get(b, ()), filling.get(b, ()), places.get(b))
            for b in range(self.counts().total)
        )

    def check(self) -> None:
        """Assert the invariants that can be seen from here."""
        self._pool.check()
        self._index.check()
        idle = [b for b in self._pool.free_queue if b in self._index]
        assert len(idle) == self.counts().cached, "a block is kept without a hash"
        held = Counter(b for table in self.tables.values() for b in table.blocks)
        for block in range(self.counts().total):
            holders = self._pool.ref_count(block)
            assert holders == held[block], (
                f"block {block} has {holders} holders, {held[block]} tables name it"
            )
        for request, table in self.tables.items():
            hashed = [self._index.get(b) for b in table.blocks[: table.num_hashed]]
            assert None not in hashed, f"{request}: a full block lost its hash"
            keys = [entry.key for entry in hashed if entry]
            parents = [entry.parent for entry in hashed if entry]
            chain = [None, *keys[:-1]] if keys else []
            assert parents == chain, f"{request}: {parents} should be {chain}"

    def _is_own(self, block: int) -> bool:
        return self._pool.ref_count(block) == 1 and block not in self._index

    def _take(
        self, request: str, num_blocks: int, sources: ListLike[int] = ()
    ) -> list[int]:
        """Blank blocks for `request`; what was known of them is forgotten."""
        blocks = self._pool.take(num_blocks)
        for place, block in enumerate(blocks):
            if self._index.forget(block):
                self._note(BlockEventKind.EVICT, [block])
            kind = BlockEventKind.COPY if sources else BlockEventKind.TAKE
            source = sources[place] if sources else None
            self._note(kind, [block], request, source)
        return blocks

    def _release(self, request: str, blocks: list[int]) -> None:
        self._pool.release(blocks, keep=self._index)
        self._note(BlockEventKind.FREE, reversed(blocks), request)

    def _note(
        self,
        kind: BlockEventKind,
        blocks: Iterable[int],
        request: str | None = None,
        source: int | None = None,
    ) -> None:
        if self.events is not None:
            self.events += [BlockEvent(kind, b, request, source) for b in blocks]

    def _view(
        self,
        block: int,
        owners: ListLike[str],
        filling: tuple[int, ...],
        queue_place: int | None,
    ) -> BlockView:
        hashed = self._index.get(block)
        ids = filling if hashed is None else hashed.token_ids
        return BlockView(
            block,
            self._pool.ref_count(block),
            tuple(owners),
            len(ids),
            ids,
            hash=hashed.key if hashed else None,
            parent=hashed.parent if hashed else None,
            queue_place=queue_place,
        )
