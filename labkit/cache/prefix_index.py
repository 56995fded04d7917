"""Full blocks by the hash of everything up to them: how a known prefix is found again.

A block's hash chains its parent's hash with its own tokens, so equal tokens at other
places differ. The salt enters the first block's hash only, and so all after it: tenants
with different salts never meet. It refuses to know who holds a block. The invariant is
that a block is under its hash if and only if it has one; several may have the same.
"""

from __future__ import annotations

from collections.abc import Sequence as ListLike
from dataclasses import dataclass
from hashlib import blake2b

__all__ = ["Hashed", "PrefixIndex", "chained"]


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
    """Hash → blocks, and block → what it holds."""

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
        """Assert the invariant that the module's opening states."""
        found = {b: key for key, blocks in self._blocks.items() for b in blocks}
        wanted = {block: hashed.key for block, hashed in self.hashed.items()}
        assert found == wanted, f"blocks by hash {found}, hashes by block {wanted}"
        assert all(self._blocks.values()), "a hash without a block"
