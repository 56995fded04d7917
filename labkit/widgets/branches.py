"""The branches of a tree, their letters, and what became of their blocks.

It holds records and refuses names and places that are not there. The invariant is that
the parent of each branch is in the tree and was made before it.
"""

from __future__ import annotations

from string import ascii_uppercase

from labkit.errors import ConfigError
from labkit.records import Branch, BranchToken

__all__ = ["MAX_BRANCHES", "Branches"]

MAX_BRANCHES = 12
REMOVED = "a branch that was removed"


class Branches:
    """`Branches(first)`; `made` has them by age, `drawn()` as the page shows them."""

    def __init__(self, first: Branch) -> None:
        self.made: list[Branch] = []
        self._letters: dict[str, str] = {}
        self._lost: dict[str, dict[int, str]] = {}  # branch: block: letter of its taker
        self.add(first)

    def add(self, branch: Branch) -> None:
        """Take in a new branch, with the first letter that is free."""
        letter = next(c for c in ascii_uppercase if c not in self._letters.values())
        own = set(branch.blocks[branch.num_shared :])
        for earlier in self.made:
            taken = own.intersection(earlier.blocks)
            self._lost[earlier.name] |= dict.fromkeys(taken, letter)
        self.made.append(branch)
        self._letters[branch.name] = letter
        self._lost[branch.name] = {}

    def remove(self, name: str) -> None:
        """Drop a branch and all that leave it, directly or not."""
        branch = self.named(name)
        if branch.parent is None:
            raise ConfigError(
                f"branch {self.letter(branch)} is the answer that all others leave: "
                "it stays"
            )
        gone = {branch.name}
        for later in self.made:  # parents stand before their children
            if later.parent in gone:
                gone.add(later.name)
        letters = {self._letters.pop(each) for each in gone}
        self.made = [each for each in self.made if each.name not in gone]
        for each in gone:
            del self._lost[each]
        for lost in self._lost.values():
            lost |= {b: REMOVED for b, taker in lost.items() if taker in letters}

    def drawn(self) -> list[Branch]:
        """Each branch below its parent; what leaves later comes first.

        A line from a parent down to its branch then crosses no other branch's tokens.
        """
        found: list[Branch] = []
        rest = [self.made[0]]
        while rest:
            found.append(rest.pop())
            inside = [b for b in reversed(self.made) if b.parent == found[-1].name]
            inside.sort(key=lambda b: b.start)  # stable: of equals the oldest is last
            rest += inside
        return found

    def named(self, name: str) -> Branch:
        """The branch called `name`."""
        for branch in self.made:
            if branch.name == name:
                return branch
        known = ", ".join(branch.name for branch in self.made)
        raise ConfigError(f"no branch {name!r}; there are: {known}")

    def letter(self, branch: Branch) -> str:
        """The letter that the page calls a branch by; it keeps it until removed."""
        return self._letters[branch.name]

    def lost_to(self, branch: Branch, block: int) -> str:
        """Who wrote over a block of `branch` since, in words; "" if nobody did."""
        taker = self._lost[branch.name].get(block, "")
        return taker if taker in ("", REMOVED) else f"branch {taker}"

    def token(self, branch: Branch, at: int) -> BranchToken:
        """The branch's own token at place `at` of the output."""
        place = at - branch.start
        if 0 <= place < len(branch.tokens):
            return branch.tokens[place]
        last = branch.start + len(branch.tokens) - 1
        raise ConfigError(f"at={at}: {branch.name} has places {branch.start} to {last}")

    def owner(self, branch: Branch, at: int) -> Branch:
        """The branch that another one at `at` would leave.

        A branch's first token is a candidate of its parent's, so what takes another
        candidate there is its sibling.
        """
        while branch.parent is not None and at == branch.start:
            branch = self.named(branch.parent)
        return branch

    def takers(self, owner: Branch, at: int) -> dict[int, Branch]:
        """Which branch has which token at a place of `owner`, itself included."""
        here = [b for b in self.made if b.parent == owner.name and b.start == at]
        first = {branch.tokens[0].token_id: branch for branch in here}
        return {**first, self.token(owner, at).token_id: owner}
