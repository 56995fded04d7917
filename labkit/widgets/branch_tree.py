"""A tree of answers: take a rejected candidate and go on from there on shared blocks.

It takes a source with one method, `grow(parent, at, token_id)`, which gives a branch.
It refuses a place or a candidate that a branch does not have. Branches are only added;
the invariant is that each one's parent stands before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import traitlets

from labkit.errors import ConfigError, LabError
from labkit.figures.drawings import Table
from labkit.records import Branch, BranchToken
from labkit.widgets.base import LabWidget, Message

__all__ = ["BranchSource", "BranchTree"]

MAX_BRANCHES = 12


class BranchSource(Protocol):
    """The interface of a source that generates branches."""

    def grow(self, parent: str | None, at: int, token_id: int | None) -> Branch:
        """The first answer (no parent), or a fork of `parent` at output place `at`."""


class BranchTree(LabWidget, page="branch_tree", parts=("branch_lane",)):
    """`BranchTree(Brancher(engine, ids), tokenizer.label)`.

    Arrow keys go through the tokens of a branch; each shows what else could have stood
    there, Enter goes to these candidates and a button goes on with one of them.
    `fork()` does the same, `branches` has them.
    """

    hurried = frozenset({"fork"})  # waits for the engine, so it must not hold the lock
    drawn: traitlets.List[Any] = traitlets.List().tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        source: BranchSource,
        label: Callable[[int], str] = str,
        **unknown: object,
    ) -> None:
        self._source = source
        self._label = label
        self.branches: list[Branch] = []
        super().__init__(unknown)
        self._add(source.grow(None, 0, None))

    def fork(self, branch: str, at: int, token_id: int) -> Branch:
        """Go on with candidate `token_id` in place of the token at place `at`."""
        with self._lock:
            self._require_candidate(branch, at, token_id)
        made = self._source.grow(
            branch, at, token_id
        )  # the engine has a lock of its own
        with self._lock:
            self._add(made)
        return made

    def _require_candidate(self, branch: str, at: int, token_id: int) -> None:
        """Raise `ConfigError` unless a branch can leave there."""
        found = self._at(self._named(branch), at)
        if token_id == found.token_id or token_id not in dict(found.top):
            raise ConfigError(
                f"token {token_id} is no rejected candidate at place {at} of "
                f"{branch}; use one of {[i for i, _ in found.top[1:]]}"
            )
        if len(self.branches) >= MAX_BRANCHES:
            raise ConfigError(f"{MAX_BRANCHES} branches are enough: start a new tree")

    def handle(self, op: str, message: Message) -> None:
        """`fork` with branch, place and token id."""
        if op != "fork":
            return super().handle(op, message)
        try:
            self.problem = ""
            self.fork(str(message["branch"]), int(message["at"]), int(message["id"]))
        except LabError as error:
            self.problem = str(error)
        return None

    def record(self) -> Table:
        """One row per branch: where it begins, its text, and its blocks."""
        rows = [
            (
                self._letter(branch),
                self._left(branch),
                _cut("".join(self._label(token.token_id) for token in branch.tokens)),
                f"{branch.num_shared} of {len(branch.blocks)}",
                f"{branch.num_computed - _num_fed(branch)} + {_num_fed(branch)}",
            )
            for branch in self.branches
        ]
        read = "tokens read: to go on + drawn"
        head = ("branch", "leaves", "its own text", "blocks shared", read)
        return Table(self._title(), self._alt(), head, tuple(rows))

    def _add(self, branch: Branch) -> None:
        self.branches.append(branch)
        self.drawn = [self._to_page(each) for each in self.branches]

    def _named(self, name: str) -> Branch:
        for branch in self.branches:
            if branch.name == name:
                return branch
        known = ", ".join(branch.name for branch in self.branches)
        raise ConfigError(f"no branch {name!r}; there are: {known}")

    def _at(self, branch: Branch, at: int) -> BranchToken:
        place = at - branch.start
        if 0 <= place < len(branch.tokens):
            return branch.tokens[place]
        last = branch.start + len(branch.tokens) - 1
        raise ConfigError(f"at={at}: {branch.name} has places {branch.start} to {last}")

    def _letter(self, branch: Branch) -> str:
        return chr(ord("A") + self.branches.index(branch))

    def _left(self, branch: Branch) -> str:
        if branch.parent is None:
            return "the prompt"
        return f"{self._letter(self._named(branch.parent))} at token {branch.start + 1}"

    def _title(self) -> str:
        if len(self.branches) == 1:
            return "One answer; choose a token and take another candidate"
        every = sum(len(branch.blocks) for branch in self.branches)
        filled = every - sum(branch.num_shared for branch in self.branches)
        return (
            f"{len(self.branches)} branches filled {filled} blocks; "
            f"without sharing they would fill {every}"
        )

    def _alt(self) -> str:
        return "; ".join(
            f"{self._letter(b)} leaves {self._left(b)}, stands on {len(b.blocks)} "
            f"blocks, {b.num_shared} shared, and had {b.num_computed} tokens read: "
            f"{b.num_computed - _num_fed(b)} to go on and {_num_fed(b)} drawn"
            for b in self.branches
        )

    def _to_page(self, branch: Branch) -> dict[str, Any]:
        """Labels, probabilities and blocks, ready to show."""
        parent = self._named(branch.parent) if branch.parent else None
        return {
            "name": branch.name,
            "letter": self._letter(branch),
            "left": self._left(branch),
            "depth": 0 if parent is None else self._depth(branch),
            "start": branch.start,
            "tokens": [self._token(token) for token in branch.tokens],
            "blocks": [[block, self._taker(branch, block)] for block in branch.blocks],
            "num_shared": branch.num_shared,
            "num_to_go_on": branch.num_computed - _num_fed(branch),
            "num_fed": _num_fed(branch),
            "title": self._title(),
            "alt": self._alt(),
        }

    def _taker(self, branch: Branch, block: int) -> str:
        """Letter of the later branch that wrote over `block`; "" if it stands."""
        for later in self.branches[self.branches.index(branch) + 1 :]:
            if block in later.blocks[later.num_shared :]:
                return self._letter(later)
        return ""

    def _depth(self, branch: Branch) -> int:
        return (
            0 if branch.parent is None else 1 + self._depth(self._named(branch.parent))
        )

    def _token(self, token: BranchToken) -> dict[str, Any]:
        top = [[i, self._label(i), _share(logprob)] for i, logprob in token.top]
        text = self._label(token.token_id)
        return {
            "id": token.token_id,
            "text": text,
            "p": _share(token.logprob),
            "top": top,
        }


def _num_fed(branch: Branch) -> int:
    """Drawn tokens that the model read: the last one drawn is never read."""
    num_chosen = 0 if branch.parent is None else 1
    return len(branch.tokens) - num_chosen - 1


def _share(logprob: float) -> float:
    return round(math.exp(logprob), 6)


def _cut(text: str, limit: int = 56) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
