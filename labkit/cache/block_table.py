"""Where a sequence's tokens lie: its blocks in order, and the slot arithmetic.

Token `i` lies in the block at place `i // block_size`, at offset `i % block_size`; its
slot is `block * block_size + offset`. The table never takes or frees blocks itself.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["BlockTable"]


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
