"""What the cache knows of its blocks: who holds them, in which order, what is in them.

Integers only; keys and values lie in `model/kv_store.py`. `BlockPool` has a free queue
and a reference count per block: free + held + cached == total. A `BlockTable` says
where one sequence's tokens lie: token `i` in the block at place `i // block_size`, at
offset `i % block_size`, in slot `block * block_size + offset`. The `PrefixIndex` finds
full blocks again by the hash of everything up to them. None of the three knows the
others; `manager.py` joins them.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Container, Iterable
from collections.abc import Sequence as ListLike
from dataclasses import dataclass
from hashlib import blake2b

from labkit.errors import OutOfBlocks
from labkit.records import BlockCounts

__all__ = ["BlockPool", "BlockTable", "Hashed", "PrefixIndex", "chained"]


class BlockPool:
    """Blocks 0 to `num_blocks` - 1; their contents are not looked at.

    The queue's front are blank blocks, the last given back first; behind them are those
    worth keeping, least recently used first. Every verb is O(1) a block. A block is in
    the queue, exactly once, if and only if nobody holds it.
    """

    def __init__(self, num_blocks: int) -> None:
        assert num_blocks > 0, f"a pool of {num_blocks} blocks can hold nothing"
        self._blank = deque(range(num_blocks))
        self._kept: OrderedDict[int, None] = OrderedDict()  # oldest first
        self.ref_counts = [0] * num_blocks  # holders of each block

    @property
    def num_free(self) -> int:
        """Blocks that `take` could hand out now, kept ones included."""
        return len(self._blank) + len(self._kept)

    @property
    def free_queue(self) -> tuple[int, ...]:
        """The blocks nobody holds, in the order in which `take` hands them out."""
        return (*self._blank, *self._kept)

    def take(self, num_blocks: int) -> list[int]:
        """Hand out free blocks, each with one holder; all of them or `OutOfBlocks`."""
        assert num_blocks >= 0, f"cannot take {num_blocks} blocks"
        if num_blocks > self.num_free:
            raise OutOfBlocks(
                f"asked for {num_blocks} blocks, {self.num_free} of "
                f"{len(self.ref_counts)} are free: ask num_free before taking"
            )
        blocks = [self._next() for _ in range(num_blocks)]
        for block in blocks:
            self.ref_counts[block] += 1
        return blocks

    def hold(self, blocks: ListLike[int]) -> None:
        """Add one holder to each of `blocks`, which are held already or kept."""
        for block in blocks:
            known = self.ref_count(block) or block in self._kept
            assert known, f"block {block} is blank: nobody can share it"
        for block in blocks:
            self._kept.pop(block, None)
            self.ref_counts[block] += 1

    def release(self, blocks: ListLike[int], keep: Container[int] = ()) -> None:
        """Remove one holder from each of a sequence's `blocks`, given in its order.

        Those that nobody holds then go into the queue tail first: those in `keep` to
        its back, so that a sequence's head is evicted last, the others to its front.
        """
        for block, wanted in Counter(blocks).items():
            holders = self.ref_count(block)
            assert holders >= wanted, (
                f"block {block} was named {wanted} times but has {holders} holders"
            )
        for block in blocks:
            self.ref_counts[block] -= 1
        idle = [block for block in blocks if not self.ref_counts[block]]
        self._blank.extendleft(block for block in idle if block not in keep)
        self._kept.update((block, None) for block in reversed(idle) if block in keep)

    def discard_kept(self) -> None:
        """Treat all kept blocks as blank; the order of the queue stays as it is."""
        self._blank.extend(self._kept)
        self._kept.clear()

    def ref_count(self, block: int) -> int:
        """How many hold `block`; 0 means that it is in the free queue."""
        total = len(self.ref_counts)
        assert 0 <= block < total, f"block {block} is not one of 0 to {total - 1}"
        return self.ref_counts[block]

    def counts(self) -> BlockCounts:
        """The pool by what its blocks are doing."""
        free, cached, total = len(self._blank), len(self._kept), len(self.ref_counts)
        return BlockCounts(free, total - free - cached, cached, total)

    def check(self) -> None:
        """Assert the invariant that the class states."""
        free = set(self.free_queue)
        assert len(free) == self.num_free, "a block is in the free queue twice"
        for block, holders in enumerate(self.ref_counts):
            assert holders >= 0, f"block {block} has {holders} holders"
            assert (holders == 0) == (block in free), (
                f"block {block} has {holders} holders, "
                f"{'is' if block in free else 'is not'} in the free queue"
            )

    def victim(self, kept: Iterable[int]) -> int:
        """Which of the blocks that are `kept`, oldest first, is evicted; not empty."""
        return next(iter(kept))

    def _next(self) -> int:
        if self._blank:
            return self._blank.popleft()
        block = self.victim(self._kept)
        del self._kept[block]
        return block


class BlockTable:
    """The blocks of one sequence, in the order of its tokens."""

    def __init__(
        self, block_size: int, blocks: Iterable[int] = (), salt: str | None = None
    ) -> None:
        assert block_size > 0, f"a block of {block_size} slots can hold nothing"
        self.block_size = block_size  # tokens
        self.blocks = list(blocks)
        self.salt = salt  # of the hash of the first block
        self.num_hashed = 0  # leading blocks that are full and have their hash

    @property
    def capacity(self) -> int:
        """Tokens that fit into the blocks it has."""
        return len(self.blocks) * self.block_size

    def num_blocks_for(self, num_tokens: int) -> int:
        """Blocks that `num_tokens` tokens fill, the last one perhaps in part."""
        return -(-num_tokens // self.block_size)  # division rounded up

    def slots(self, start: int, end: int) -> list[int]:
        """Slots of the tokens at positions `start` to `end` - 1."""
        assert 0 <= start <= end <= self.capacity, (
            f"positions {start} to {end} are not within the {self.capacity} slots held"
        )
        size = self.block_size
        return [self.blocks[i // size] * size + i % size for i in range(start, end)]


@dataclass(frozen=True, slots=True)
class Hashed:
    """What a full block holds: its tokens, and the hash of the block before it."""

    key: str  # hex
    parent: str | None  # None for a first block
    token_ids: tuple[int, ...]


def chained(
    parent: str | None, token_ids: ListLike[int], salt: str | None = None
) -> Hashed:
    """The hash of a block after `parent`; `salt` counts where there is no parent."""
    salted = "root" if salt is None else salt.encode("utf-8", "surrogatepass").hex()
    text = f"{parent or f'salt {salted}'}/{' '.join(map(str, token_ids))}"
    key = blake2b(text.encode(), digest_size=16).hexdigest()
    return Hashed(key, parent, tuple(token_ids))


class PrefixIndex:
    """Hash → blocks, and block → what it holds; who holds a block is not known here.

    A block's hash chains its parent's hash with its own tokens, so equal tokens at
    other places differ. The salt enters the first block's hash only, and so all after
    it: tenants with different salts never meet. A block is under its hash if and only
    if it has one; several may have the same.
    """

    def __init__(self, block_size: int) -> None:
        self._block_size = block_size  # tokens
        self._blocks: dict[str, dict[int, None]] = {}  # in order of arrival
        self.hashed: dict[int, Hashed] = {}  # by block
        self._asked: tuple[ListLike[int], str | None, list[str]] = ((), None, [])

    def __contains__(self, block: object) -> bool:
        return block in self.hashed

    def get(self, block: int) -> Hashed | None:
        """What `block` holds; None where it has no hash."""
        return self.hashed.get(block)

    def match(self, ids: ListLike[int], salt: str | None = None) -> tuple[int, ...]:
        """Blocks of the longest known prefix of `ids` that leaves a token to compute.

        Changes nothing. Without that last token there would be no logits to sample.
        """
        size, blocks, keys = self._block_size, list[int](), self._keys(ids, salt)
        for place, start in enumerate(range(0, len(ids) - size, size)):
            if place == len(keys):
                parent = keys[-1] if keys else None
                keys.append(chained(parent, ids[start : start + size], salt).key)
            twins = self._blocks.get(keys[place])
            if twins is None:
                break
            blocks.append(next(iter(twins)))
        return tuple(blocks)

    def _keys(self, ids: ListLike[int], salt: str | None) -> list[str]:
        """The leading hashes of `ids` that are known from the last call, if any are.

        The first of the queue asks in every step until there is room for it.
        """
        if self._asked[:2] != (ids, salt):
            self._asked = (ids, salt, [])
        return self._asked[2]

    def put(self, block: int, hashed: Hashed) -> None:
        """Index `block`, which is full and stays as it is from now on."""
        assert block not in self.hashed, f"block {block} has a hash already"
        self.hashed[block] = hashed
        self._blocks.setdefault(hashed.key, {})[block] = None

    def forget(self, block: int) -> bool:
        """Take `block` out, for another use; False where it has no hash."""
        hashed = self.hashed.pop(block, None)
        if hashed is None:
            return False
        twins = self._blocks[hashed.key]
        del twins[block]
        if not twins:
            del self._blocks[hashed.key]
        return True

    def check(self) -> None:
        """Assert the invariant that the class states."""
        found = {b: key for key, blocks in self._blocks.items() for b in blocks}
        wanted = {block: hashed.key for block, hashed in self.hashed.items()}
        assert found == wanted, f"blocks by hash {found}, hashes by block {wanted}"
        assert all(self._blocks.values()), "a hash without a block"
