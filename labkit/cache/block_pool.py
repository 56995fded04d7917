"""Who holds which block of the cache: a free list and a reference count a block.

Holds integers only; keys and values lie in `model/kv_store.py`. It never decides who
may have blocks: a caller asks `num_free` first. The invariant is that a block is on the
free list, exactly once, if and only if nobody holds it: free + held + cached == total.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

from labkit.errors import OutOfBlocks
from labkit.records import BlockCounts

__all__ = ["BlockPool"]


class BlockPool:
    """Blocks 0 to `num_blocks` - 1; the block that was freed first is taken first."""

    def __init__(self, num_blocks: int) -> None:
        assert num_blocks > 0, f"a pool of {num_blocks} blocks can hold nothing"
        self._free = deque(range(num_blocks))
        self._ref_counts = [0] * num_blocks  # holders of each block

    @property
    def num_free(self) -> int:
        """Blocks that `take` could hand out now."""
        return len(self._free)

    def take(self, num_blocks: int) -> list[int]:
        """Hand out free blocks, each with one holder; all of them or `OutOfBlocks`."""
        assert num_blocks >= 0, f"cannot take {num_blocks} blocks"
        if num_blocks > self.num_free:
            raise OutOfBlocks(
                f"asked for {num_blocks} blocks, {self.num_free} of "
                f"{len(self._ref_counts)} are free: ask num_free before taking"
            )
        blocks = [self._free.popleft() for _ in range(num_blocks)]
        for block in blocks:
            self._ref_counts[block] = 1
        return blocks

    def share(self, blocks: Iterable[int]) -> None:
        """Add one holder to each of `blocks`, which must be held already."""
        for block in self._held(blocks):
            self._ref_counts[block] += 1

    def release(self, blocks: Iterable[int]) -> None:
        """Remove one holder from each of `blocks`; the last one out frees the block."""
        for block in self._held(blocks):
            self._ref_counts[block] -= 1
            if self._ref_counts[block] == 0:
                self._free.append(block)

    def ref_count(self, block: int) -> int:
        """How many hold `block`; 0 means free."""
        self._assert_known(block)
        return self._ref_counts[block]

    def counts(self) -> BlockCounts:
        """The pool by what its blocks are doing."""
        total = len(self._ref_counts)
        return BlockCounts(self.num_free, total - self.num_free, 0, total)

    def check(self) -> None:
        """Assert the invariant that the module's opening states."""
        free = set(self._free)
        assert len(free) == len(self._free), "a block is on the free list twice"
        for block, holders in enumerate(self._ref_counts):
            assert holders >= 0, f"block {block} has {holders} holders"
            assert (holders == 0) == (block in free), (
                f"block {block} has {holders} holders, "
                f"{'is' if block in free else 'is not'} on the free list"
            )

    def _held(self, blocks: Iterable[int]) -> list[int]:
        """`blocks` as a list, checked before anything is changed."""
        asked = list(blocks)
        for block, wanted in Counter(asked).items():
            self._assert_known(block)
            holders = self._ref_counts[block]
            assert holders >= wanted, (
                f"block {block} was named {wanted} times but has {holders} holders"
            )
        return asked

    def _assert_known(self, block: int) -> None:
        total = len(self._ref_counts)
        assert 0 <= block < total, f"block {block} is not one of 0 to {total - 1}"
